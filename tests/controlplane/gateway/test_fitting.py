"""A row that does not fit the published schema reaches no gateway."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from controlplane import app as composition
from controlplane.app import App
from controlplane.gateway.fitting import UNFIT, fits
from domain import config_document
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import AT

CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda row: row.pop("plan"),
    lambda row: row.update(id="a.b"),
    lambda row: row.update(id="another"),
    lambda row: row.update(not_after="soon"),
    lambda row: row.update(keys=[{"id": "k"}]),
    lambda row: row.update(keys=None),
]


@pytest.mark.parametrize("change", CHANGES)
async def test_an_unfit_row_is_left_out_by_every_process_and_counted(
    dsn: str, client: Client, app: App, change: Callable[[dict[str, Any]], Any]
) -> None:
    provider = Provider(app)
    await provider.product("pets")
    token = await provider.gateway("edge")
    broken, well = await provider.subscription("pets"), await provider.subscription("pets")
    await provider.settled()
    before = await client.config(token)
    assert len(before["subscriptions"]) == 2
    counted = UNFIT.labels("subscription")._value.get()  # noqa: SLF001  # it has no other way

    row = next(each for each in before["subscriptions"] if each["id"] == str(broken))
    change(row)
    await app.services.pool.execute(  # as a fold might that went wrong
        "UPDATE config SET body = $1, from_position = from_position WHERE id = $2",
        config_document.canonical(row).decode(),
        str(broken),
    )
    await provider.key(well)
    await provider.settled()
    async with composition.running(dsn, now=lambda: AT) as other, serving(other) as second:
        await other.projector.wait_until(provider.position)
        document = await second.config(token)

    assert [each["id"] for each in document["subscriptions"]] == [str(well)]
    assert config_document.content_hash(document) == document["content_hash"]
    assert UNFIT.labels("subscription")._value.get() > counted  # noqa: SLF001


def test_a_group_is_what_we_make_of_it() -> None:
    assert fits("group", "g", orjson.dumps({}).decode())
