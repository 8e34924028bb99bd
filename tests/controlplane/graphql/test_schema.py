import re
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLEnumType, GraphQLNamedType, build_schema, is_specified_scalar_type

import controlplane.graphql
from controlplane.app import App
from controlplane.graphql.errors import RejectionCode
from controlplane.graphql.schema import KINDS, schema, sdl
from domain.aggregate import DomainError


def test_the_checked_in_schema_is_the_one_that_is_served() -> None:
    published = Path(controlplane.graphql.__file__).with_name("schema.graphql")
    assert published.read_text() == sdl(), "write it anew: controlplane schema"
    assert build_schema(sdl())


def test_everything_in_the_schema_is_described() -> None:
    assert [name for name, text in texts() if not text or not text.strip()] == []


def texts() -> Iterator[tuple[str, str | None]]:
    for type_ in schema.type_map.values():
        if type_.name.startswith("__") or is_specified_scalar_type(type_):
            continue
        yield type_.name, type_.description
        yield from members(type_)


def members(type_: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    for name, field in getattr(type_, "fields", {}).items():
        yield f"{type_.name}.{name}", field.description
        for argument, taken in getattr(field, "args", {}).items():
            yield f"{type_.name}.{name}({argument})", taken.description
    if isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            yield f"{type_.name}.{name}", value.description


NO_MUTATION = re.compile(
    r"\.gateway\.|domain\.contract\.(bump|differences|diff|lint)\b"
    r"|controlplane\.contracts\.(testable|tester)\b"  # they refuse at a terminal
)
"""What refuses no mutation; what keeps contracts from being compared is a finding of the gate."""


def test_every_refusal_has_its_code(app: App) -> None:
    assert app  # every module that can refuse anything is imported by now
    ours = {kind for kind in refusals(DomainError) if not NO_MUTATION.search(kind.__module__)}
    assert {code.value for code in RejectionCode} == ours


def refusals(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith(("domain", "controlplane", "projections")):
            yield each
        yield from refusals(each)


def test_every_type_with_an_id_can_be_asked_for_by_it() -> None:
    nodes = {type_.name for type_ in schema.get_implementations(schema.type_map["Node"]).objects}  # type: ignore[arg-type]  # Node is an interface
    assert {kind.name for kind in KINDS} == nodes


def test_every_mutation_takes_one_input_and_answers_with_a_payload_or_a_refusal() -> None:
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        (input_,) = field.args.values()
        fields = input_.type.of_type.fields
        assert {"reason", "idempotencyKey", "dryRun"} <= fields.keys(), name
        result = field.type.of_type
        assert result.name == f"{name[0].upper()}{name[1:]}Result"
        payload, rejected = result.types
        assert rejected.name == "Rejected"
        assert "Changed" in {interface.name for interface in payload.interfaces}
