"""GraphQL over HTTP is kept in every point that the package graphql-http audits."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import serving

HERE = Path(__file__).parent
AUDITS = 61


@pytest.fixture(scope="module")
def announced() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        log = Path(folder) / "log"
        with serving(log, "--demo", CONTROLPLANE_DATA_DIR=f"{folder}/data") as served:
            yield served.announced
            assert served.stop() == 0


@pytest.mark.parametrize("role", ["owner", "developer"])
def test_every_audit_of_graphql_http_succeeds(announced: dict[str, Any], role: str) -> None:
    ran = subprocess.run(
        ["node", "audit.mjs", announced["graphql"], announced["tokens"][role]],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
