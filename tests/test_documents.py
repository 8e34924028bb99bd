"""The documents say what the code does: tables, links, paths and commands in them are checked."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from controlplane import audit
from controlplane.auth import PERMISSIONS
from controlplane.cli import cli
from controlplane.gateway import crowd, endpoint, policy, poll, recent
from controlplane.graphql import (
    connection,
    documents,
    limits,
    loaders,
    paging,
    past,
    persisted,
    websocket,
)
from controlplane.settings import Settings
from domain.access_token import Role
from domain.contract.contract import OPERATIONS
from domain.contract.document import DOCUMENT_BYTES
from domain.contract.graphql_sdl import SDL_BYTES

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINES = 250
LONG = {"CHANGELOG.md", "contract-rules.md"}
"""One grows with every release, the other is looked things up in, and printed."""
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
PATH = re.compile(r"`((?:controlplane|domain|projections|tests|docs|deploy|benchmarks)/[\w./*-]+)`")
COMMAND = re.compile(
    r"(?:^ {4,}(?:- run: )?|`)(?:\.venv/bin/)?controlplane ([a-z](?:[^`#\n]|\\\n)*)", re.MULTILINE
)
OPTION = re.compile(r"(?<!\S)--[a-z-]+")
LIMITS = (
    ("portal: tokens of a document", limits.TOKENS),
    (
        "portal: nesting, and that of introspection",
        limits.DEPTH,
        limits.INTROSPECTION_DEPTH,
    ),
    ("portal: aliases", limits.ALIASES),
    ("portal: fields, with all fragments written out", limits.SELECTIONS),
    ("portal: occurrences of one field", limits.REPEATS),
    ("portal: nodes that one request reads", loaders.ROWS),
    ("portal: nodes of a page", paging.PAGE),
    (
        "portal: events, bytes of them and streams that a question about the past reads",
        past.EVENTS,
        past.EVENT_BYTES,
        past.STREAMS,
    ),
    (
        "portal: WebSockets of a process, and operations of each",
        websocket.CONNECTIONS,
        connection.OPERATIONS,
    ),
    ("portal: bytes of a message over a WebSocket", websocket.FRAME_BYTES),
    (
        "portal: seconds that a client may take to accept a message",
        int(connection.SEND_S),
    ),
    (
        "portal: documents registered, and characters of each",
        persisted.REGISTERED,
        documents.DOCUMENT_CHARS,
    ),
    (
        "gateways: bytes, tokens and nesting of an operation",
        endpoint.BODY_BYTES,
        endpoint.TOKENS,
        endpoint.DEPTH,
    ),
    ("gateways: cost of an operation", policy.BUDGET),
    (
        "gateways: seconds that a poll is held, and polls held by a process",
        poll.WAIT_MAX_S,
        crowd.WAITERS,
    ),
    (
        "gateways: organizations whose gateways wait at a process, and groups of each",
        recent.IN_USE,
        recent.IN_USE,
    ),
    ("audit: events of an answer", audit.LIMIT_EVENTS_MAX),
    (
        "contract: bytes, of which GraphQL SDL, and operations",
        DOCUMENT_BYTES,
        SDL_BYTES,
        OPERATIONS,
    ),
)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def rows(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table after a line that begins with the heading."""
    after = text(name).split(f"\n{heading}", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def anchors(document: Path) -> set[str]:
    """Return what its headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_what_is_there(document: Path) -> None:
    said = document.read_text()

    for file, anchor in LINK.findall(said):
        found = document.parent / file if file else document
        assert found.exists(), file
        assert not anchor or anchor in anchors(found), f"{file}#{anchor}"
    for path in PATH.findall(said):
        assert any(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_commands_and_options_there_are(document: Path) -> None:
    for found in COMMAND.findall(document.read_text()):
        words, level = found.split(), get_command(cli)
        while words and (known := getattr(level, "commands", None)):
            assert words[0] in known, found
            level = known[words.pop(0)]
        options = {option for each in level.params for option in each.opts + each.secondary_opts}
        assert set(OPTION.findall(" ".join(words))) <= {*options, "--help"}, found


def test_every_decision_is_in_the_index_in_order() -> None:
    pages = sorted((ROOT / "docs/adr").glob("0*.md"))
    headings = [page.read_text().splitlines()[0].removeprefix("# ") for page in pages]

    assert rows("docs/adr/README.md", "A decision") == [
        [number, f"[{title}]({page.name})"]
        for page, (number, _, title) in zip(
            pages, (heading.partition(". ") for heading in headings), strict=True
        )
    ]


def test_every_setting_is_in_the_table_with_its_default() -> None:
    told = {row[0]: (row[1].strip("`").replace("empty", ""), row[2]) for row in settings()}

    assert told == {
        f"`CONTROLPLANE_{name.upper()}`": (str(field.default), field.description)
        for name, field in Settings.model_fields.items()
    }


def settings() -> list[list[str]]:
    return rows("docs/operating.md", "## Settings")


def test_every_permission_is_in_the_table_with_its_roles() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows("docs/concepts.md", "## Roles")}

    assert told == {
        permission: ["x" if permission in PERMISSIONS[role] else "" for role in Role]
        for permission in frozenset[str]().union(*PERMISSIONS.values())
    }


def test_every_limit_is_in_the_table() -> None:
    told = dict(rows("docs/api.md", "## Limits"))

    for name, *numbers in LIMITS:
        assert told[name] == ", ".join(f"{number:,}" for number in numbers)


def test_every_decision_has_its_number_and_its_four_parts() -> None:
    for page in sorted(ROOT.glob("docs/adr/[0-9]*.md")):
        said = page.read_text()
        assert said.startswith(f"# {int(page.name[:4])}. "), page.name
        assert re.findall("^## (.*)$", said, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ], page.name


def test_a_document_is_short_enough_to_be_read() -> None:
    for document in DOCUMENTS:
        if document.name not in LONG:
            assert len(document.read_text().splitlines()) <= LINES, document.name


def test_the_catalogue_of_rules_is_as_printed() -> None:
    printed = CliRunner().invoke(cli, ["contract", "rules"])
    # controlplane contract rules > docs/contract-rules.md
    assert text("docs/contract-rules.md") == printed.stdout
