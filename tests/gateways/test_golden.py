"""Every renderer says of every case what it said before: `GOLDEN=write` writes it down anew."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from controlplane import gateway
from controlplane.gateway.renderers import RENDERERS, Memo, Rendered, Site, renderer
from domain.config_document import content_hash

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/config.json"))
SCHEMA = Path(gateway.__file__).parent / "config.schema.json"
EMPTY = "empty"
SITE = Site("/etc/gateway", admin_port=9901)


def config(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / case / "config.json").read_text())
    return found


def told(rendered: Rendered) -> dict[str, bytes]:
    """Return what is rendered, JSON so that people can read it."""
    unserved = orjson.dumps([vars(each) for each in rendered.unserved])
    return {
        name: readable(content) if name.endswith(".json") else content
        for name, content in {**rendered.files, "unserved.json": unserved}.items()
    }


def readable(content: bytes) -> bytes:
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(orjson.loads(content), option=options)


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_a_valid_document_with_the_right_hash(case: str) -> None:
    document = config(case)

    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert content_hash(document) == document["content_hash"]


@pytest.mark.parametrize("vendor", RENDERERS)
@pytest.mark.parametrize("case", CASES)
def test_a_renderer_says_what_it_said_before(case: str, vendor: str) -> None:
    found = told(renderer(vendor).render(config(case), SITE, Memo()))
    if case != EMPTY:  # what every configuration has is written down once
        same = told(renderer(vendor).render(config(EMPTY), SITE, Memo()))
        found = {name: each for name, each in found.items() if same.get(name) != each}

    folder = GOLDEN / case / vendor
    if os.environ.get("GOLDEN") == "write":
        for old in folder.glob("*"):
            old.unlink()
        folder.mkdir(exist_ok=True)
        for name, content in found.items():
            (folder / name).write_bytes(content)
    assert found == {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("vendor", RENDERERS)
def test_a_renderer_says_the_same_with_and_without_its_memory(vendor: str) -> None:
    memo, each = Memo(), renderer(vendor)

    for case in [*CASES, *CASES]:
        assert told(each.render(config(case), SITE, memo)) == told(
            each.render(config(case), SITE, Memo())
        )
