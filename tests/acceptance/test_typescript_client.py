"""A TypeScript client that graphql-codegen makes of our SDL: checked by tsc, run by node."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import controlplane.graphql
from tests.clients.stock import stocked

HERE = Path(__file__).parent
CLIENT = HERE / "typescript"
OPERATIONS = HERE.parent / "clients" / "operations.graphql"
SDL = Path(controlplane.graphql.__file__).with_name("schema.graphql")
STEP_S = 120


def run(*command: str | Path) -> str:
    done = subprocess.run(
        command, cwd=CLIENT, capture_output=True, text=True, timeout=STEP_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def program() -> Iterator[Path]:
    """Return the program that was generated, checked and compiled."""
    generated = CLIENT / "client.ts"
    run("node", "generate.mjs", SDL, OPERATIONS, generated)
    run(HERE / "node_modules" / ".bin" / "tsc", "--project", "tsconfig.json")
    yield CLIENT / "build" / "page.js"
    for path in (generated, *(CLIENT / "build").iterdir()):
        path.unlink()
    (CLIENT / "build").rmdir()


async def test_the_generated_client_pages_through_every_row_exactly_once(
    program: Path, dsn: str, tmp_path: Path
) -> None:
    async with stocked(dsn, tmp_path / "log") as shop:
        said = json.loads(run("node", program, f"{shop.url}/graphql", shop.token))
    assert said == {
        "forwards": shop.rows,
        "backwards": shop.rows,
        "different": shop.rows,
        "node": "Application",
        "refused": "NOT_FOUND",
    }
