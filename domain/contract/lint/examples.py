"""Examples and defaults, tried out against the schemas they belong to."""

from collections.abc import Iterator

from domain.contract.document import Tree
from domain.contract.lint.check import Check, Function, Options, Place, options
from domain.contract.lint.json_schema import Problem, schema_problems, validator
from domain.contract.lint.place import UNDEFINED, Path, Value, member

_REQUESTS = (("components", "requestBodies"), ("paths", None, None, "requestBody"))
_RESPONSES = (("components", "responses"), ("paths", None, None, "responses"))


def _example(given: Options) -> Check:
    field = given["schemaField"]
    inner: Path = () if field == "$" else (field,)
    is_media = given["type"] == "media"

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if not isinstance(value, dict):
            return
        direction = _direction(place.path) if is_media else ""
        found = _media_examples(value, place) if is_media else _schema_examples(value, place.path)
        for example, path in found:
            yield from place.schemas.first_problem(example, path, (*place.path, *inner), direction)

    return check


def _direction(path: Path) -> str:
    """Return the properties that need not be in an example at this path."""
    for direction, patterns in (("readOnly", _REQUESTS), ("writeOnly", _RESPONSES)):
        for pattern in patterns:
            if len(path) >= len(pattern) and all(
                wanted in {None, key} for wanted, key in zip(pattern, path, strict=False)
            ):
                return direction
    return ""


def _schema_examples(value: dict[str, Tree], path: Path) -> Iterator[tuple[Tree, Path]]:
    for name in ("example", "default"):
        if name in value:
            yield value[name], (*path, name)


def _media_examples(value: dict[str, Tree], place: Place) -> Iterator[tuple[Tree, Path]]:
    if "example" in value:
        yield value["example"], (*place.path, "example")
    examples = value.get("examples")
    for name in examples if isinstance(examples, dict) else ():
        example, path = place.source.at(value, place.path, ("examples", name), follow=place.follow)
        inner = member(example, "value") if isinstance(example, dict) else UNDEFINED
        if inner is not UNDEFINED:
            yield inner, (*path, "value")


def _openapi_schema(given: Options) -> Check:
    compiled = validator(given["schema"], "draft4")

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if value is not UNDEFINED:
            yield from schema_problems(compiled, value, place.path, limit=1)

    return check


EXAMPLES: dict[str, Function] = {
    "oasExample": Function(
        _example,
        options(
            ("schemaField", "type"),
            oasVersion={"const": 3},
            schemaField={"type": "string"},
            type={"enum": ["media", "schema"]},
        ),
    ),
    "oasSchema": Function(_openapi_schema, options(("schema",), schema={"type": "object"})),
}
