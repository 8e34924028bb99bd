"""The published description says what is true."""

import json
import re
from pathlib import Path

import jsonschema

from controlplane import gateway
from domain.routing import apply, content_hash

PAGE = Path(__file__).parents[3] / "docs" / "gateway-config.md"
SCHEMA = Path(gateway.__file__).parent / "config.schema.json"


def test_the_examples_are_valid_and_their_hashes_right() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    snapshot, delta = map(json.loads, blocks)

    for document in (snapshot, delta):
        jsonschema.validate(document, schema)
    assert content_hash(snapshot) == snapshot["content_hash"]
    assert content_hash(apply(snapshot, delta)) == delta["content_hash"]
