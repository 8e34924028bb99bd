"""Operations compiled once into plain functions, for what most of them ask.

graphql-core decides for every field of every node anew what it is and how it is resolved; of a
document that comes again that can be decided once. Here it is, for what has no directives.
Whatever else there is, and every error, is left to graphql-core: it executes the whole operation
after all, so that errors are its own. What was read is read from the request's loaders then, and
what a mutation did is not done again: it is told what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    is_leaf_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_variable_values
from graphql.language import DirectiveNode, DocumentNode, Visitor, visit
from graphql.language.visitor import BREAK
from graphql.pyutils import Path, Undefined, is_awaitable
from strawberry.types.field import StrawberryField

from controlplane.graphql.arguments import UnreadableArgumentError, reader
from controlplane.graphql.loaders import Info, Request

_OURS = "strawberry-definition"


class LeftToGraphQLCoreError(Exception):
    """What is compiled cannot answer this; graphql-core can."""

    def __init__(self, outcomes: Sequence[object] = ()) -> None:
        super().__init__()
        self._outcomes = outcomes

    @property
    def middleware(self) -> list[Callable[..., Any]] | None:
        """What graphql-core has to be given, lest it does again what a mutation did."""
        return [self._instead] if self._outcomes else None

    def _instead(
        self,
        resolve: Callable[..., Any],
        source: object,
        info: GraphQLResolveInfo,
        **arguments: Any,  # noqa: ANN401  # those of any field
    ) -> object:
        if info.path.prev is not None:
            return resolve(source, info, **arguments)
        (outcome,) = self._outcomes
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class _Run:
    """One execution of a query: what its steps have in common, and what they wait for."""

    __slots__ = ("context", "prepared", "variables", "waiting")

    def __init__(self, context: Request, variables: dict[str, Any]) -> None:
        self.context = context
        self.variables = variables
        self.waiting: list[_Awaited] = []
        self.prepared: dict[object, tuple[Any, dict[str, Any]]] = {}
        """The info and the arguments of each field with a resolver; its nodes share them."""


Complete: TypeAlias = Callable[[Any, _Run], Any]
Step: TypeAlias = Callable[[Any, dict[str, Any], _Run], None]
Nodes: TypeAlias = list[FieldNode]


class _Awaited(NamedTuple):
    value: Awaitable[Any]
    out: dict[str, Any]
    key: str
    complete: Complete


class Compiled:
    """A compiled operation; `roots` are the fields of Query, or the one of Mutation, it names."""

    def __init__(
        self, operation: OperationDefinitionNode, roots: frozenset[str], complete: Complete
    ) -> None:
        self.roots = roots
        self.changes = operation.operation is OperationType.MUTATION
        self._operation = operation
        self._complete = complete

    async def run(
        self, schema: GraphQLSchema, context: Request, variables: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the data. Raises LeftToGraphQLCoreError."""
        definitions = self._operation.variable_definitions or ()
        values = get_variable_values(schema, definitions, variables, max_errors=1)
        if isinstance(values, list):
            raise LeftToGraphQLCoreError
        run = _Run(context, values)
        outcomes: Sequence[object] = ()
        try:
            data: dict[str, Any] = self._complete(None, run)
            while run.waiting:
                waiting, run.waiting = run.waiting, []
                found = await _all(waiting)
                if self.changes and not outcomes:
                    outcomes = found
                if any(isinstance(value, BaseException) for value in found):
                    _leave()
                for each, value in zip(waiting, found, strict=True):
                    each.out[each.key] = each.complete(value, run)
        except Exception as error:
            for each in run.waiting:
                each.value.close()  # type: ignore[attr-defined]  # they are coroutines
            raise LeftToGraphQLCoreError(outcomes) from error
        return data


def compiled(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Compiled | None:
    """Return the operation of a valid document compiled, None if there is that in it we leave."""
    root = schema.get_root_type(operation.operation)
    if root is None or operation.operation is OperationType.SUBSCRIPTION:
        return None
    conditional = _Conditional()
    visit(document, conditional)
    if conditional.found:
        return None
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    fields = collect_fields(schema, fragments, {}, root, operation.selection_set)
    roots = frozenset(nodes[0].name.value for nodes in fields.values())
    if operation.operation is OperationType.MUTATION and not _one_command(root, fields):
        return None
    try:
        compiler = _Compiler(schema, fragments, operation)
        return Compiled(operation, roots, compiler.object(root, fields.items()))
    except (LeftToGraphQLCoreError, UnreadableArgumentError):
        return None


async def _all(waiting: list[_Awaited]) -> Sequence[object]:
    """Return what each yields or raises."""
    if len(waiting) > 1:
        return await asyncio.gather(*(each.value for each in waiting), return_exceptions=True)
    try:
        return [await waiting[0].value]  # without a task of its own
    except Exception as error:  # noqa: BLE001  # graphql-core raises it again
        return [error]


def _one_command(root: GraphQLObjectType, fields: dict[str, Nodes]) -> bool:
    """Tell whether it is one mutation that is awaited; several would have to wait for another."""
    if len(fields) != 1:
        return False
    ((node, *_),) = fields.values()
    field = root.fields.get(node.name.value)
    return field is not None and field.extensions[_OURS].is_async


def _leave() -> NoReturn:
    raise LeftToGraphQLCoreError


class _Conditional(Visitor):
    """Finds out whether a document has directives: what is selected may then differ."""

    found = False

    def enter_directive(self, _: DirectiveNode, *__: object) -> Any:  # noqa: ANN401  # as declared
        self.found = True
        return BREAK


class _Compiler:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation

    def object(self, type_: GraphQLObjectType, fields: Iterable[tuple[str, Nodes]]) -> Complete:
        """Return what makes the object of a selection."""
        steps = [self._step(type_, key, nodes) for key, nodes in fields]

        def complete(source: Any, run: _Run) -> dict[str, Any]:  # noqa: ANN401
            out: dict[str, Any] = {}
            for step in steps:
                step(source, out, run)
            return out

        return complete

    def _step(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> Step:
        name = nodes[0].name.value
        if name == "__typename":
            return _constant(key, parent.name)
        field = parent.fields.get(name)
        ours = field and field.extensions.get(_OURS)
        if field is None or not isinstance(ours, StrawberryField) or ours.extensions:
            _leave()
        complete = self._complete(field.type, nodes)
        if ours.base_resolver is None:
            return _attribute(key, ours.python_name, complete)
        resolve = self._resolver(parent, field, ours, nodes)
        return (_later if ours.is_async else _at_once)(key, resolve, complete)

    def _complete(self, type_: GraphQLOutputType, nodes: Nodes) -> Complete:
        if not isinstance(type_, GraphQLNonNull):
            given = self._given(type_, nodes)
            return lambda value, run: None if value is None else given(value, run)
        inner = type_.of_type
        given = self._given(inner, nodes)
        if is_leaf_type(inner):  # it looks at every value itself
            return given

        def complete(value: Any, run: _Run) -> Any:  # noqa: ANN401
            return _leave() if value is None else given(value, run)

        return complete

    def _given(self, type_: GraphQLOutputType, nodes: Nodes) -> Complete:
        """Return what completes a value that is not null."""
        if isinstance(type_, GraphQLList):
            one = self._complete(type_.of_type, nodes)
            return lambda value, run: (
                [one(each, run) for each in value] if type(value) is list else _leave()
            )
        if isinstance(type_, GraphQLObjectType):
            fields = collect_sub_fields(self._schema, self._fragments, {}, type_, nodes)
            return self.object(type_, fields.items())
        if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
            return _leaf(type_)
        assert isinstance(type_, GraphQLUnionType | GraphQLInterfaceType)
        return self._one_of(type_, nodes)

    def _one_of(self, type_: GraphQLAbstractType, nodes: Nodes) -> Complete:
        """Return what completes an object of one of several types, by its class."""
        types = {
            each.extensions[_OURS].origin: each for each in self._schema.get_possible_types(type_)
        }
        known: dict[type, Complete] = {}

        def complete(value: Any, run: _Run) -> Any:  # noqa: ANN401
            kind = type(value)
            if kind not in known:
                known[kind] = self._given(types[kind], nodes)
            return known[kind](value, run)

        return complete

    def _resolver(
        self,
        parent: GraphQLObjectType,
        field: GraphQLField,
        ours: StrawberryField,
        nodes: Nodes,
    ) -> Complete:
        """Return what calls the resolver of a field."""
        resolver = ours.base_resolver
        assert resolver is not None
        read = reader(field)
        function = resolver.wrapped_func
        wants_self = resolver.self_parameter is not None
        parameters = (resolver.parent_parameter, resolver.root_parameter)
        sources = [each.name for each in parameters if each is not None]
        info_name = resolver.info_parameter and resolver.info_parameter.name

        def call(source: Any, run: _Run) -> Any:  # noqa: ANN401
            prepared = run.prepared.get(call)
            if prepared is None:
                prepared = run.prepared[call] = (
                    self._info(run, parent, field, ours, nodes),
                    read(nodes[0], run.variables),
                )
            info, arguments = prepared
            if info_name is not None or sources:
                arguments = {**arguments, **dict.fromkeys(sources, source)}
                if info_name is not None:
                    arguments[info_name] = info
            return function(source, **arguments) if wants_self else function(**arguments)

        return call

    def _info(
        self,
        run: _Run,
        parent: GraphQLObjectType,
        field: GraphQLField,
        ours: StrawberryField,
        nodes: Nodes,
    ) -> Info:
        """Return the info that all nodes share; its path is that of the field alone."""
        name = nodes[0].name.value
        raw = GraphQLResolveInfo(
            name,
            nodes,
            field.type,
            parent,
            Path(None, name, parent.name),
            self._schema,
            self._fragments,
            None,
            self._operation,
            run.variables,
            run.context,
            is_awaitable,
        )
        return Info(_raw_info=raw, _field=ours)


def _constant(key: str, value: str) -> Step:
    def step(_source: Any, out: dict[str, Any], _run: _Run) -> None:  # noqa: ANN401
        out[key] = value

    return step


def _attribute(key: str, name: str, complete: Complete) -> Step:
    get = attrgetter(name)

    def step(source: Any, out: dict[str, Any], run: _Run) -> None:  # noqa: ANN401
        out[key] = complete(get(source), run)

    return step


def _at_once(key: str, resolve: Complete, complete: Complete) -> Step:
    def step(source: Any, out: dict[str, Any], run: _Run) -> None:  # noqa: ANN401
        value = resolve(source, run)
        if hasattr(value, "__await__"):
            _leave()
        out[key] = complete(value, run)

    return step


def _later(key: str, resolve: Complete, complete: Complete) -> Step:
    def step(source: Any, out: dict[str, Any], run: _Run) -> None:  # noqa: ANN401
        out[key] = None  # its place among the others
        run.waiting.append(_Awaited(resolve(source, run), out, key, complete))

    return step


def _leaf(type_: GraphQLScalarType | GraphQLEnumType) -> Complete:
    """Return what serializes a value; as it is, if that is what the type would do with it."""
    as_it_is = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}.get(type_, Undefined)

    def complete(value: Any, _: _Run) -> Any:  # noqa: ANN401
        if type(value) is as_it_is:
            return value
        shown = Undefined if value is None else type_.serialize(value)
        return _leave() if shown is None or shown is Undefined else shown

    if not isinstance(type_, GraphQLEnumType):
        return complete
    names: dict[Any, str] = {}

    def name(value: Any, run: _Run) -> Any:  # noqa: ANN401
        found = names.get(value)
        if found is None:
            found = names[value] = complete(value, run)
        return found

    return name
