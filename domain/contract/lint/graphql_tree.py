"""A GraphQL schema as the tree that rules look at."""

from domain.contract.document import Tree
from domain.contract.graphql_schema import TYPES, Element, Kind, Schema
from domain.contract.lint.place import Path

_HOLDERS = {
    Kind.FIELD: "fields",
    Kind.INPUT_FIELD: "fields",
    Kind.VALUE: "values",
    Kind.ARGUMENT: "arguments",
    Kind.DIRECTIVE_ARGUMENT: "arguments",
}


def schema_tree(schema: Schema) -> Tree:
    """Return `types` and `directives` by name, and `operations`: the fields of the root types.

    Each has kind and description; besides type, required, default, deprecated, members, fields,
    values or arguments, where there are such.
    """
    nodes: dict[str, dict[str, Tree]] = {}
    types: dict[str, Tree] = {}
    directives: dict[str, Tree] = {}
    for coordinate, element in schema.elements.items():
        node = nodes[coordinate] = _node(element)
        if element.kind in TYPES:
            types[coordinate] = node
        elif element.kind is Kind.DIRECTIVE:
            directives[coordinate.removeprefix("@")] = node
        elif element.kind in _HOLDERS:
            inner = nodes[element.parent].setdefault(_HOLDERS[element.kind], {})
            assert isinstance(inner, dict)
            inner[_name(element)] = node
    operations: dict[str, Tree] = {
        root: nodes[name].get("fields", {}) for root, name in schema.roots.items() if name in nodes
    }
    return {"types": types, "directives": directives, "operations": operations}


def _node(element: Element) -> dict[str, Tree]:
    node: dict[str, Tree] = {"kind": element.kind.value, "description": element.description}
    if element.type is not None:
        node |= {"type": element.type_name, "required": element.is_required}
    if element.default is not None:
        node["default"] = element.default
    if element.deprecated_because is not None:
        node["deprecated"] = element.deprecated_because
    if element.members:
        node["members"] = [*sorted(element.members)]
    return node


def _name(element: Element) -> str:
    return element.coordinate.removeprefix(element.parent).strip(".():")


def coordinate(path: Path, schema: Schema) -> str:
    """Return the schema coordinate of what is at the path of the tree, "" for the whole."""
    keys = [str(key) for key in path]
    if len(keys) < 2:  # noqa: PLR2004 - a holder such as `types`, and a name in it
        return ""
    holder, name, *rest = keys
    if holder == "operations":
        name, rest = schema.roots.get(name, ""), ["fields", *rest]
    found = f"@{name}" if holder == "directives" else name
    for inner, inner_name in zip(rest[::2], rest[1::2], strict=False):
        if inner in {"fields", "values"}:
            found += f".{inner_name}"
        elif inner == "arguments":
            found += f"({inner_name}:)"
    return found
