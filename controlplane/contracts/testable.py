"""What of a contract may be handed to a tool that makes calls: nothing that leads elsewhere."""

from graphql import GraphQLSchema, build_ast_schema, print_schema

from domain.aggregate import DomainError
from domain.contract.document import Tree, shown
from domain.contract.graphql_sdl import is_sdl, parsed
from domain.contract.read import read_text, read_tree

READS = ("GET", "HEAD", "OPTIONS")
_PLACES = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class NotTestableError(DomainError):
    """A contract that is tested holds all that it refers to; bundle it into one document."""


def readied(document: bytes, *, writes: bool) -> tuple[str, Tree]:
    """Return a name that says what it is, and the document as it may be tested.

    Of GraphQL without `writes` only queries are left: what is not in the schema is not asked. Of
    OpenAPI no server and no example is left that is elsewhere. Raises NotTestableError, and what
    `read_contract` raises.
    """
    text = read_text(document)
    if is_sdl(text):
        return "schema.graphql", _queries(text, writes=writes)
    tree = read_tree(document)
    _stay_within(tree)
    _drop_servers(tree)
    return "openapi.json", tree


def _queries(text: str, *, writes: bool) -> str:
    schema = build_ast_schema(parsed(text), assume_valid=True, assume_valid_sdl=True)
    said = schema.to_kwargs()
    left_out = {said["subscription"], None if writes else said["mutation"]}
    said["types"] = tuple(each for each in said["types"] or () if each not in left_out)
    said["description"] = said["subscription"] = None
    said["mutation"] = said["mutation"] if writes else None
    printed = print_schema(GraphQLSchema(**said))
    if printed.startswith("schema "):
        return printed
    # Said outright: a type called Mutation that a query returns is no root.
    named = {"query": said["query"], "mutation": said["mutation"]}
    roots = "".join(f"  {root}: {type_.name}\n" for root, type_ in named.items() if type_)
    return f"schema {{\n{roots}}}\n\n{printed}"


def _stay_within(tree: Tree) -> None:
    """Take examples that are elsewhere out. Raises NotTestableError."""
    level = [tree]
    while level:  # as deep as a document may be
        inner = [each for each in level if isinstance(each, dict)]
        for each in inner:
            target = each.get("$ref")
            if isinstance(target, str) and not target.startswith("#"):
                raise NotTestableError("document", f"This one refers to {shown(target)}.")
            if isinstance(each.get("externalValue"), str):
                del each["externalValue"]
        level = [
            value
            for each in level
            if isinstance(each, (dict, list))
            for value in (each.values() if isinstance(each, dict) else each)
        ]


def _drop_servers(tree: Tree) -> None:
    """Leave no address but the one that is tested."""
    assert isinstance(tree, dict)
    tree.pop("servers", None)
    components = tree.get("components")
    shared = components.get("pathItems") if isinstance(components, dict) else None
    for items in (tree.get("paths"), shared):
        for item in items.values() if isinstance(items, dict) else ():
            places = (
                [item, *(item.get(place) for place in _PLACES)] if isinstance(item, dict) else []
            )
            for place in places:
                if isinstance(place, dict):
                    place.pop("servers", None)
