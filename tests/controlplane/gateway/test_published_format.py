"""The published description says what is true."""

import json
import re
from datetime import datetime
from pathlib import Path

import jsonschema

from controlplane import gateway
from domain.config_document import apply
from domain.signed import trusted, verify_snapshot

PAGE = Path(__file__).parents[3] / "docs" / "gateway-config.md"
SCHEMA = Path(gateway.__file__).parent / "config.schema.json"


def test_the_examples_are_valid_and_their_signatures_right() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    snapshot, delta = map(json.loads, blocks)

    for document in (snapshot, delta):
        jsonschema.validate(document, schema)
    at = datetime.fromisoformat(delta["issued_at"])
    verify_snapshot(snapshot, snapshot["signing_keys"], at)
    verify_snapshot(apply(snapshot, delta), trusted(snapshot), at)
