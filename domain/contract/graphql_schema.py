"""A GraphQL schema as a table of its elements by schema coordinate.

It is made from the syntax alone: graphql-core's own schema refuses a subgraph of a federation, and
loses which directives are applied. Extensions are part of what they extend.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, get_args

from graphql import (
    ConstDirectiveNode,
    ConstValueNode,
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ListTypeNode,
    ListValueNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ObjectValueNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    TypeExtensionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    print_ast,
)

from domain.contract.document import NotAnApiDocumentError, shown
from domain.contract.graphql_sdl import parsed

ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
NO_REASON = "No longer supported"


class Kind(StrEnum):
    """What an element is, as a person would call it."""

    SCHEMA = "schema"
    SCALAR = "scalar"
    OBJECT = "object type"
    INTERFACE = "interface"
    UNION = "union"
    ENUM = "enum"
    INPUT = "input type"
    FIELD = "field"
    ARGUMENT = "argument"
    INPUT_FIELD = "input field"
    VALUE = "enum value"
    DIRECTIVE = "directive"
    DIRECTIVE_ARGUMENT = "directive argument"


TYPES = (Kind.SCALAR, Kind.OBJECT, Kind.INTERFACE, Kind.UNION, Kind.ENUM, Kind.INPUT)

_Objects: TypeAlias = ObjectTypeDefinitionNode | ObjectTypeExtensionNode
_Interfaces: TypeAlias = InterfaceTypeDefinitionNode | InterfaceTypeExtensionNode
_Unions: TypeAlias = UnionTypeDefinitionNode | UnionTypeExtensionNode
_Enums: TypeAlias = EnumTypeDefinitionNode | EnumTypeExtensionNode
_Inputs: TypeAlias = InputObjectTypeDefinitionNode | InputObjectTypeExtensionNode
_Scalars: TypeAlias = ScalarTypeDefinitionNode | ScalarTypeExtensionNode
_Schemas: TypeAlias = SchemaDefinitionNode | SchemaExtensionNode
_Types: TypeAlias = _Objects | _Interfaces | _Unions | _Enums | _Inputs | _Scalars
_Node: TypeAlias = _Schemas | _Types | DirectiveDefinitionNode

_KINDS = {
    **dict.fromkeys(get_args(_Schemas), Kind.SCHEMA),
    **dict.fromkeys(get_args(_Objects), Kind.OBJECT),
    **dict.fromkeys(get_args(_Interfaces), Kind.INTERFACE),
    **dict.fromkeys(get_args(_Unions), Kind.UNION),
    **dict.fromkeys(get_args(_Enums), Kind.ENUM),
    **dict.fromkeys(get_args(_Inputs), Kind.INPUT),
    **dict.fromkeys(get_args(_Scalars), Kind.SCALAR),
    DirectiveDefinitionNode: Kind.DIRECTIVE,
}


@dataclass(slots=True)
class Element:
    """One element of a schema; what its kind does not have is None or empty.

    `parent` is the coordinate of what it belongs to. `default` is the literal in a form in which
    equal ones are equal. `members` are the interfaces of a type, the types of a union, or the
    locations of a directive. `applied` counts the uses of directives, as they are printed.
    """

    coordinate: str
    kind: Kind
    parent: str
    description: str = ""
    type: TypeNode | None = None
    default: str | None = None
    members: set[str] = field(default_factory=set)
    is_repeatable: bool = False
    deprecated_because: str | None = None
    applied: Counter[str] = field(default_factory=Counter)

    @property
    def is_required(self) -> bool:
        """Whether a caller has to give a value."""
        return isinstance(self.type, NonNullTypeNode) and self.default is None

    @property
    def type_name(self) -> str:
        """The type as it is written, such as [Int!]."""
        return "" if self.type is None else print_ast(self.type)


@dataclass(slots=True)
class Schema:
    """All elements by coordinate, in the order of the document, and the names of the root types."""

    elements: dict[str, Element] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)


def read_schema(text: str) -> Schema:
    """Return the schema of a document in SDL.

    Raises what `parsed` does, and NotAnApiDocumentError when the document holds an operation or
    defines a coordinate twice.
    """
    return _Reading().read(parsed(text))


class _Reading:
    """The schema so far; `whole` are the coordinates that were defined, not only extended."""

    def __init__(self) -> None:
        self.schema = Schema({"": Element("", Kind.SCHEMA, "")})
        self.whole: set[str] = set()

    def read(self, document: DocumentNode) -> Schema:
        for definition in document.definitions:
            if not isinstance(definition, _Node):
                raise NotAnApiDocumentError("document", "This one holds more than a schema.")
            self._definition(definition)
        if "" not in self.whole:
            usual = {root: name for root, name in ROOTS.items() if name in self.schema.elements}
            self.schema.roots = usual | self.schema.roots
        return self.schema

    def _definition(self, node: _Node) -> None:
        element = self._begun(node)
        _apply(element, node.directives or ())
        if isinstance(node, _Schemas):
            for operation in node.operation_types or ():
                self.schema.roots[operation.operation.value] = operation.type.name.value
        elif isinstance(node, DirectiveDefinitionNode):
            element.members.update(location.value for location in node.locations)
            element.is_repeatable = node.repeatable
            self._inputs(node.arguments, element, Kind.DIRECTIVE_ARGUMENT)
        elif isinstance(node, _Unions):
            element.members.update(member.name.value for member in node.types)
        elif isinstance(node, _Enums):
            for value in node.values:
                coordinate = f"{element.coordinate}.{value.name.value}"
                inner = Element(coordinate, Kind.VALUE, element.coordinate, _description(value))
                self._add(inner, value.directives)
        elif isinstance(node, _Inputs):
            self._inputs(node.fields, element, Kind.INPUT_FIELD)
        elif isinstance(node, _Objects | _Interfaces):
            element.members.update(interface.name.value for interface in node.interfaces)
            self._fields(node.fields, element)

    def _begun(self, node: _Node) -> Element:
        """Return the element of the definition; its extensions may come before or after it."""
        kind = _KINDS[type(node)]
        coordinate = "" if isinstance(node, _Schemas) else node.name.value
        if kind is Kind.DIRECTIVE:
            coordinate = f"@{coordinate}"
        element = self.schema.elements.setdefault(coordinate, Element(coordinate, kind, ""))
        is_whole = not isinstance(node, SchemaExtensionNode | TypeExtensionNode)
        if element.kind is not kind or (is_whole and coordinate in self.whole):
            raise _twice(coordinate or "The schema")
        if is_whole:
            self.whole.add(coordinate)
            element.description = _description(node)
        return element

    def _add(self, element: Element, directives: Iterable[ConstDirectiveNode]) -> None:
        if element.coordinate in self.schema.elements:
            raise _twice(element.coordinate)
        _apply(element, directives)
        self.schema.elements[element.coordinate] = element

    def _fields(self, nodes: Iterable[FieldDefinitionNode], owner: Element) -> None:
        for node in nodes:
            coordinate = f"{owner.coordinate}.{node.name.value}"
            element = Element(
                coordinate, Kind.FIELD, owner.coordinate, _description(node), node.type
            )
            self._add(element, node.directives)
            self._inputs(node.arguments, element, Kind.ARGUMENT)

    def _inputs(
        self, nodes: Iterable[InputValueDefinitionNode], owner: Element, kind: Kind
    ) -> None:
        for node in nodes:
            name = node.name.value
            inner = f".{name}" if kind is Kind.INPUT_FIELD else f"({name}:)"
            element = Element(
                owner.coordinate + inner,
                kind,
                owner.coordinate,
                _description(node),
                node.type,
                None if node.default_value is None else _literal(node.default_value, node.type),
            )
            self._add(element, node.directives)


def _twice(coordinate: str) -> NotAnApiDocumentError:
    return NotAnApiDocumentError("document", f"{shown(coordinate)} is defined twice.")


def _description(
    node: _Node | FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode,
) -> str:
    description = getattr(node, "description", None)
    return description.value if description else ""


def _apply(element: Element, directives: Iterable[ConstDirectiveNode]) -> None:
    for directive in directives:
        arguments = {argument.name.value: argument.value for argument in directive.arguments}
        if directive.name.value == "deprecated":
            reason = arguments.get("reason")
            element.deprecated_because = (
                reason.value if isinstance(reason, StringValueNode) else NO_REASON
            )
            continue
        given = ", ".join(f"{name}: {_literal(arguments[name])}" for name in sorted(arguments))
        element.applied[f"@{directive.name.value}" + (f"({given})" if given else "")] += 1


def _literal(node: ConstValueNode, type_: TypeNode | None = None) -> str:
    """Return the literal with the members of objects in order, and a lone value as a list."""
    inner = type_.type if isinstance(type_, NonNullTypeNode) else type_
    if isinstance(node, ListValueNode):
        of = inner.type if isinstance(inner, ListTypeNode) else None
        return "[" + ", ".join(_literal(value, of) for value in node.values) + "]"
    if isinstance(inner, ListTypeNode) and not isinstance(node, NullValueNode):
        return f"[{_literal(node, inner.type)}]"
    if isinstance(node, ObjectValueNode):
        members = sorted((member.name.value, _literal(member.value)) for member in node.fields)
        return "{" + ", ".join(f"{name}: {value}" for name, value in members) + "}"
    if isinstance(node, StringValueNode):  # one in a block is the same value
        return print_ast(StringValueNode(value=node.value, block=False))
    return print_ast(node)


def covers(wide: TypeNode, narrow: TypeNode) -> bool:
    """Whether each value of the `narrow` type is one of the `wide` type.

    Types of different names never are: a fragment on another member of an interface no longer
    fits where one object type is returned.
    """
    if isinstance(wide, NonNullTypeNode):
        return isinstance(narrow, NonNullTypeNode) and covers(wide.type, narrow.type)
    if isinstance(narrow, NonNullTypeNode):
        return covers(wide, narrow.type)
    if isinstance(wide, ListTypeNode) or isinstance(narrow, ListTypeNode):
        return (
            isinstance(wide, ListTypeNode)
            and isinstance(narrow, ListTypeNode)
            and covers(wide.type, narrow.type)
        )
    return print_ast(wide) == print_ast(narrow)
