"""Documents with anything at all in any place: an error that names the place, or findings."""

import copy
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.aggregate import DomainError
from domain.contract.diff.compare import rest_differences
from domain.contract.diff.terms import Terms
from domain.contract.document import Tree
from domain.contract.yaml_tree import read_yaml
from tests.contract.test_rest_rules import everywhere

TERMS = Terms(date(2026, 11, 22), {"stable": 90})
GOLDEN = Path(__file__).parent / "golden" / "rest"
FOLDERS = sorted(path.parent for path in GOLDEN.rglob("old.yaml"))
ROUNDS = 8
ANYTHING: tuple[Tree, ...] = (
    None, True, False, 0, -1, 1.5, 10**18, "", "a", "#", "#/", "~", "/a", "{}", [], [None], [[]],
    {}, {"a": None}, {"$ref": "#"}, {"$ref": "#/paths"}, {"$ref": 1}, {"$ref": "#/nowhere"},
    {"type": "object"}, {"type": ["null"]}, {"oneOf": [{"type": "null"}]}, {"not": {}},
    {"allOf": [{"$ref": "#"}]}, {"enum": []}, {"enum": [None]}, {"properties": {"": {}}},
)  # fmt: skip


def documents(folder: Path) -> list[Any]:
    trees = [read_yaml((folder / f"{side}.yaml").read_bytes()) for side in ("old", "new")]
    return [everywhere(tree) if folder.parent.name == "schemas" else tree for tree in trees]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return each container with each of its keys."""
    found, waiting = [], [tree]
    while waiting:
        inner = waiting.pop()
        keys = inner if isinstance(inner, dict) else range(len(inner))
        for key in keys:
            found.append((inner, key))
            if isinstance(inner[key], (dict, list)):
                waiting.append(inner[key])
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_whatever_is_in_a_document_is_compared_or_refused(folder: Path) -> None:
    chance = random.Random(folder.name)  # noqa: S311 - the same documents each time
    old, new = documents(folder)
    for _ in range(ROUNDS):
        broken = copy.deepcopy(new)
        for _ in range(chance.randrange(1, 4)):
            holder, key = chance.choice(places(broken))
            holder[key] = copy.deepcopy(chance.choice(ANYTHING))
        for pair in ((old, broken), (broken, old), (broken, copy.deepcopy(broken))):
            try:
                findings = rest_differences(*pair, TERMS)
            except DomainError as error:
                assert error.about in ("old", "new")
            else:
                assert findings == () or pair[0] is not broken or pair[1] is old
