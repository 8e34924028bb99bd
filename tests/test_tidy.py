"""The house rules that no linter knows; each failure prints the offender."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.aggregate import Aggregate
from domain.events import AGGREGATES, EVENTS

ROOT = Path(__file__).parent.parent
PACKAGES = ("controlplane", "domain", "projections", "benchmarks")
MODULE_LINES, FUNCTION_LINES = 350, 50
TEST_MODULE_LINES, TEST_FUNCTION_LINES = 500, 60  # a list of sentences, each read for itself
LONGER = {
    "controlplane/app.py: running": "the whole wiring, which is read from top to bottom",
    "tests/controlplane/commands/world.py: world": "one of everything, in the order it comes about",
    "tests/histories.py: _begun": "a literal table of beginnings",
    "controlplane/graphql/audit.py: audit_events": "its filters are arguments, one a line",
    "tests/controlplane/graphql/test_mutations.py:"
    " test_a_broken_rule_is_named_with_the_field_at_fault": "a literal table of every rule",
}
"""What may be longer, and why."""
NO_NOUNS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc"}
IRREGULAR = {
    "back",
    "chosen",
    "forgotten",
    "left",
    "overridden",
    "rewritten",
    "sent",
    "taken",
    "withdrawn",
    "written",
}
"""Past tenses that do not end in -ed, and `back` of held back."""
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
ELSEWHERE = re.compile(
    r"pythonhosted\.org|pypi\.org|registry\.(npmjs|yarnpkg)|goproxy|proxy\.golang"
    r"|(?<!emit-)index-url\b|extra-index|/(root|home|work|Users)/"
)
"""Hosts of registries and paths of one machine; locks name packages and hashes alone."""
VENDORED = ROOT / "controlplane/portal/graphiql"
BINARY = {".png", ".ico", ".gz", ".woff2"}


def tracked() -> list[Path]:
    """Return the files of the project; outside of a clone, every file but what tools left."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.splitlines()]
    else:
        top = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
        folders = [path for path in top if path.is_dir() and path.name not in {"var", "build"}]
        found = [path for path in top if path.is_file()]
        found += [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


FILES = tracked()
MODULES = [path for path in FILES if path.suffix == ".py"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    return name(path).startswith("tests/")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_a_module_fits_in_one_reading() -> None:
    assert long_modules() - set(LONGER) == set()


def test_a_function_fits_on_a_screen() -> None:
    assert long_functions() - set(LONGER) == set()


def test_every_exception_is_still_needed() -> None:
    assert set(LONGER) - long_modules() - long_functions() == set()
    assert len(LONGER) <= 5


def long_modules() -> set[str]:
    return {
        name(path)
        for path in MODULES
        if len(path.read_text().splitlines())
        > (TEST_MODULE_LINES if is_test(path) else MODULE_LINES)
    }


def long_functions() -> set[str]:
    return {
        f"{name(path)}: {function}"
        for path in MODULES
        for function, lines in functions(path)
        if lines > (TEST_FUNCTION_LINES if is_test(path) else FUNCTION_LINES)
    }


def test_no_module_is_named_after_nothing() -> None:
    nameless = [
        name(path) for path in MODULES if path.stem in NO_NOUNS and path.name != "__init__.py"
    ]
    assert nameless == []


def topics() -> list[tuple[type[Aggregate], type[Aggregate.Event]]]:
    return [
        (aggregate, event)
        for event in EVENTS
        for aggregate in AGGREGATES
        if event.__qualname__.startswith(f"{aggregate.__name__}.")
    ]


def test_every_event_is_a_past_tense_fact_of_its_aggregate() -> None:
    assert len(topics()) == len(EVENTS)
    for aggregate, event in topics():
        noun, _, fact = event.TOPIC.partition(".")
        assert noun == aggregate.TOPIC == snake(aggregate.__name__)
        assert fact == snake(event.__name__)
        last = fact.rpartition("_")[2]
        assert last.endswith("ed") or last in IRREGULAR, event.TOPIC
        assert last not in {"created", "updated", "deleted", "changed"}, event.TOPIC


def test_every_topic_is_the_name_of_one_thing() -> None:
    names = [aggregate.TOPIC for aggregate in AGGREGATES] + [event.TOPIC for event in EVENTS]
    assert len(set(names)) == len(names)


def snake(camel: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()[:120]}"
        for path in FILES
        if path.suffix not in BINARY and path != Path(__file__) and VENDORED not in path.parents
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_for_later() -> None:
    assert lines_with(UNFINISHED) == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    assert lines_with(ELSEWHERE) == []


def test_the_recipes_name_files_that_exist() -> None:
    """Nouns in angle brackets stand for any: `plan` is in every layer."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    recipes = text.partition("## Recipes")[2].partition("\n### ")[0]
    named = [each for each in re.findall(r"`([^`\s]+)`", recipes) if re.search(r"/|\.\w+$", each)]
    assert len(named) > 10
    below = ("", "controlplane/", "controlplane/graphql/", "tests/controlplane/store/")
    missing = [
        each
        for each in named
        if not any(list(ROOT.glob(f"{folder}{each.replace('<noun>', 'plan')}")) for folder in below)
    ]
    assert missing == []


@pytest.mark.timeout(60)
def test_imports_go_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_packages_are_where_they_are_looked_for() -> None:
    """A guard for the tests above: they are worth nothing if they look at nothing."""
    assert {name(path).split("/")[0] for path in MODULES} >= {*PACKAGES, "tests"}
