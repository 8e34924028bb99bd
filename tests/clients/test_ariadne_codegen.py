"""A Python client that ariadne-codegen makes of our SDL, as customers do, at the real service."""

import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import controlplane.graphql
from tests.clients.stock import Shop, stocked

OPERATIONS = Path(__file__).with_name("operations.graphql")
SDL = Path(controlplane.graphql.__file__).with_name("schema.graphql")
CONFIG = """
[tool.ariadne-codegen]
schema_path = "{sdl}"
queries_path = "{operations}"
target_package_path = "{target}"
target_package_name = "generated_client"
[tool.ariadne-codegen.scalars]
Position = {{ type = "str" }}
Count = {{ type = "int" }}
Decimal = {{ type = "decimal.Decimal" }}
DateTime = {{ type = "datetime.datetime" }}
JSON = {{ type = "typing.Any" }}
"""
PAGE = 100
GENERATE_S = 60


@pytest.fixture
async def shop(dsn: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """Return an organization that has 5,000 applications, at a service of its own."""
    async with stocked(dsn, tmp_path / "log") as shop:
        yield shop


@pytest.fixture
def generated(tmp_path: Path) -> Iterator[Any]:
    """Return the package that was generated."""
    config = tmp_path / "pyproject.toml"
    config.write_text(CONFIG.format(sdl=SDL, operations=OPERATIONS, target=tmp_path))
    subprocess.run(
        [Path(sys.executable).with_name("ariadne-codegen"), "--config", config],
        check=True,
        capture_output=True,
        timeout=GENERATE_S,
    )
    sys.path.insert(0, str(tmp_path))
    yield importlib.import_module("generated_client")
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]


async def test_the_generated_client_pages_through_every_row_exactly_once(
    shop: Shop, generated: Any
) -> None:
    bearer = {"Authorization": f"Bearer {shop.token}"}
    async with generated.Client(url=f"{shop.url}/graphql", headers=bearer) as client:
        assert await whole(client, forwards=True) == shop.rows
        assert await whole(client, forwards=False) == shop.rows
        given = generated.RegisterApplicationInput(
            team_id="x", name="New", idempotency_key="once", reason="by a generated client"
        )
        refused = (await client.register_application(given)).register_application
        assert (refused.typename__, refused.code.value) == ("Rejected", "NOT_FOUND")
        assert refused.path == ["input", "teamId"]
        page = (await client.applications_page(first=1)).applications
        node = (await client.node_by_id(page.nodes[0].id)).node
        assert (node.id, node.typename__) == (page.nodes[0].id, "Application")
        with pytest.raises(generated.GraphQLClientGraphQLMultiError) as wrong:
            await client.applications_page(first=101)
        assert wrong.value.errors[0].extensions["code"] == "PAGE_SIZE"


async def whole(client: Any, *, forwards: bool) -> int:
    """Page through all, from either end; return how many there are, each of them once."""
    found: list[str] = []
    cursor = None
    while True:  # ends: each page has others
        place = {"first": PAGE, "after": cursor} if forwards else {"last": PAGE, "before": cursor}
        page = (await client.applications_page(**place)).applications
        found += [edge.node.id for edge in page.edges]
        assert [node.id for node in page.nodes] == [edge.node.id for edge in page.edges]
        info = page.page_info
        if not (info.has_next_page if forwards else info.has_previous_page):
            break
        cursor = info.end_cursor if forwards else info.start_cursor
    assert len(set(found)) == len(found)
    return len(found)
