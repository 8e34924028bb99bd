"""Each operation first succeeds for whom it is for, and then is refused to everybody else."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import pytest
from graphql import GraphQLObjectType

from controlplane.graphql.schema import schema
from tests.controlplane.graphql.everything import (
    EVERYBODY,
    FIELDS,
    HIDDEN,
    READS,
    VERBS,
    Elsewhere,
    Look,
    Verb,
)
from tests.controlplane.graphql.portal import Portal

TABLE = "tests/controlplane/graphql/everything.py"
ROOT = Path(__file__).parents[3]
NOT_PERMITTED, NOT_FOUND = "NOT_PERMITTED", "NOT_FOUND"


def fields_with_arguments() -> Iterator[str]:
    roots = (schema.query_type, schema.mutation_type)
    for type_ in schema.type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_ in roots:
            continue
        for name, field in type_.fields.items():
            if type_ is schema.subscription_type or (field.args and type_.name[:2] != "__"):
                yield f"{type_.name}.{name}"


def test_every_operation_of_the_schema_is_classified() -> None:
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    tables: tuple[tuple[str, set[str], Mapping[str, object], str], ...] = (
        (
            "VERBS",
            set(schema.mutation_type.fields),
            VERBS,
            "Verb('{productId: $product}', by=MANAGERS)",
        ),
        (
            "READS",
            set(schema.query_type.fields),
            READS,
            "Look('{ %s(id: $product) { id } }', sees=CATALOGUE)",
        ),
        (
            "FIELDS",
            set(fields_with_arguments()),
            FIELDS,
            "Look('{ product(id: $product) { ... { nodes { id } } } }', sees=CATALOGUE)",
        ),
    )
    for table, wanted, known, example in tables:
        missing, gone = sorted(wanted - set(known)), sorted(set(known) - wanted)
        told = "\n".join(f'    "{name}": {example.replace("%s", name)},' for name in missing)
        assert not missing, (
            f"Who may do this is not tested. Add to {table} of {TABLE}, which says how:\n{told}"
        )
        assert not gone, f"The schema has no {', '.join(gone)}: delete it from {table} of {TABLE}."


def test_what_is_covered_elsewhere_is_there() -> None:
    for line in (*VERBS.values(), *READS.values(), *FIELDS.values()):
        if isinstance(line, Elsewhere):
            assert f"def {line.test}(" in (ROOT / line.file).read_text(), line


def filled(text: str, ids: dict[str, str]) -> str:
    return Template(text).substitute({name: json.dumps(id_) for name, id_ in ids.items()})


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", text))


async def outcome(portal: Portal, who: str, verb: str, input_: str) -> str:
    """Return the code of the refusal of a dry run, or "" when it would be done."""
    dry = re.sub(r"}\s*$", ", dryRun: true}", filled(input_, portal.ids))
    query = f"""mutation {{ done: {verb}(input: {dry}) {{
      ... on Changed {{ events }} ... on Rejected {{ code message }} }} }}"""
    done = (await portal.ask(None if who == "anonymous" else who, query))["done"]
    assert done.get("events") or done.get("code"), (verb, who, done)
    return str(done.get("code", ""))


async def test_every_mutation_is_for_whom_it_is_for_and_for_nobody_else(everything: Portal) -> None:
    pool = everything.app.services.pool
    before = await pool.fetchval("SELECT count(*) FROM stored_events")
    for verb, line in VERBS.items():
        if isinstance(line, Elsewhere):
            continue
        assert line.by <= EVERYBODY
        # Who has it at all comes first: it must be possible, or refusals prove nothing.
        for who in sorted(line.by, key=lambda who: bool(expected(line, who))):
            assert await outcome(everything, who, verb, line.input) == expected(line, who), (
                verb,
                who,
            )
        for who in EVERYBODY - line.by:
            assert await outcome(everything, who, verb, line.input) == NOT_PERMITTED, (verb, who)
    assert await pool.fetchval("SELECT count(*) FROM stored_events") == before


def expected(line: Verb, who: str) -> str:
    outsider = who in {"stranger", "rival"} or (who == "operator" and "owner" in line.by)
    return NOT_FOUND if outsider and who not in line.free else ""


@pytest.mark.parametrize("table", [READS, FIELDS], ids=["fields of Query", "fields with arguments"])
async def test_everything_that_is_read_is_seen_by_whom_it_is_for_and_by_nobody_else(
    everything: Portal, table: dict[str, Look | Elsewhere]
) -> None:
    of_shop = set(everything.ids.values()) | await strings_of_shop(everything)
    for name, line in table.items():
        if isinstance(line, Elsewhere):
            continue
        assert line.sees | line.refused <= EVERYBODY
        assert not line.sees & line.refused
        query = filled(line.query, everything.ids)
        for who in sorted(EVERYBODY, key=lambda who: who not in line.sees):
            answer = await everything.answer(None if who == "anonymous" else who, query)
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            told = set(strings(answer["data"]))
            assert codes == ({NOT_PERMITTED} if who in line.refused else set()), (name, who, answer)
            if who in line.refused:
                assert not told, (name, who)
            else:
                assert bool(told & of_shop) is (who in line.sees), (name, who, answer)
            hidden = {
                everything.ids[each] for each in HIDDEN.get(who, ()) if each in everything.ids
            }
            # What the question itself names is no news in its answer.
            assert not told & hidden, (name, who)


async def strings_of_shop(portal: Portal) -> set[str]:
    """Return ids of the organization that the shop does not name: of parts, events, the whole."""
    query = """{ product(id: $inner) { versions { nodes { operations { nodes { id } } } }
        pages { nodes { history { nodes { id } } } } }
      plan(id: $secret) { versions { nodes { id } } } viewer { organization { id } }
      auditEvents(first: 100) { nodes { id nounId } }
      gatewayConfig(groupId: $group) { document } }"""
    return set(strings(await portal.ask("owner", filled(query, portal.ids))))


def strings(found: Any) -> Iterator[str]:
    """Yield every text of an answer."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for each in found.values():
            yield from strings(each)
    elif isinstance(found, list):
        for each in found:
            yield from strings(each)
