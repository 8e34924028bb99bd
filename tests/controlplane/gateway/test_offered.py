"""What Envoys are offered is made to the end, whoever asked for it."""

import asyncio
from uuid import UUID

import pytest

from controlplane.gateway import offered
from controlplane.gateway.group import Changes, Group, Interval, Live, View, interval
from controlplane.gateway.mirror import Served
from controlplane.gateway.offered import Offered
from controlplane.gateway.renderers import Site
from domain import config_document, routing
from domain.routing import GROUP, PRODUCT, Body

GROUP_ID, PRODUCT_ID = UUID(int=9), UUID(int=1)


def at(position: int, kind: str, row: Body) -> Interval:
    return interval(kind, row["id"], position, None, config_document.canonical(row).decode())


def served(position: int, **said: object) -> Served:
    group = at(1, GROUP, routing.group(GROUP_ID, "edge", "live", [], 1))
    product = at(position, PRODUCT, {**routing.product(PRODUCT_ID, "pets"), **said})
    view = View(Group(group), Live([group, product]))
    view.cursor = position
    return Served(view)


async def everything(_: Served, __: int) -> Changes | None:
    return None


async def test_what_was_begun_is_offered_when_whoever_asked_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offered, "INLINE_ROWS", 0)  # in a thread
    found = Offered(1, Site(""))
    before = served(2)
    await found.refresh(before, everything)

    then = served(3, state="DEPRECATED")
    asking = asyncio.create_task(found.refresh(then, everything))
    await asyncio.sleep(0)
    asking.cancel()
    await found.refresh(then, everything)

    async with asyncio.timeout(5):
        while found.renderings[-1].content_hash != then.view.content_hash:
            await asyncio.sleep(0.01)
