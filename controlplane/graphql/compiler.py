"""From the text of an operation to the plain functions that answer it."""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from operator import attrgetter
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
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
    Visitor,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.language.visitor import BREAK
from graphql.pyutils import Path, Undefined, is_awaitable
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info as _Info

from controlplane.graphql.arguments import UnreadableArgumentError, reader, variables
from controlplane.graphql.compiled import (
    Awaited,
    Compiled,
    Complete,
    LeftToGraphQLCoreError,
    Nodes,
    Run,
    Step,
    leave,
)
from controlplane.graphql.loaders import Request

_OURS = "strawberry-definition"
STEPS = 200
"""Fields of one document that are compiled at most: each takes 1.4 KB as long as it is kept."""
_AS_IT_IS: dict[object, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


class Budget:
    """How many fields may still be compiled of one document, in all its operations."""

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps

    def spend(self) -> None:
        """Take one. Raises LeftToGraphQLCoreError when there are none left."""
        if not self._left:
            leave()
        self._left -= 1


def compiled(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    budget: Budget,
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
        compiler = _Compiler(schema, fragments, operation, budget)
        changes = operation.operation is OperationType.MUTATION
        coerce = variables(schema, operation.variable_definitions or ())
        return Compiled(roots, coerce, compiler.object(root, fields.items()), changes=changes)
    except (LeftToGraphQLCoreError, UnreadableArgumentError):
        return None


def _one_command(root: GraphQLObjectType, fields: dict[str, Nodes]) -> bool:
    """Tell whether it is one mutation that is awaited; several would have to wait for another."""
    if len(fields) != 1:
        return False
    ((node, *_),) = fields.values()
    field = root.fields.get(node.name.value)
    return field is not None and field.extensions[_OURS].is_async


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
        budget: Budget,
    ) -> None:
        self._budget = budget
        self._schema = schema
        self._fragments = fragments
        self._operation = operation

    def object(self, type_: GraphQLObjectType, fields: Iterable[tuple[str, Nodes]]) -> Complete:
        """Return what makes the object of a selection."""
        steps = [self._step(type_, key, nodes) for key, nodes in fields]

        def complete(source: Any, run: Run) -> dict[str, Any]:  # noqa: ANN401
            out: dict[str, Any] = {}
            for step in steps:
                step(source, out, run)
            return out

        return complete

    def _step(self, parent: GraphQLObjectType, key: str, nodes: Nodes) -> Step:
        self._budget.spend()
        name = nodes[0].name.value
        if name == "__typename":
            return _constant(key, parent.name)
        field = parent.fields.get(name)
        ours = field and field.extensions.get(_OURS)
        if field is None or not isinstance(ours, StrawberryField) or ours.extensions:
            leave()
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

        def complete(value: Any, run: Run) -> Any:  # noqa: ANN401
            return leave() if value is None else given(value, run)

        return complete

    def _given(self, type_: GraphQLOutputType, nodes: Nodes) -> Complete:
        """Return what completes a value that is not null."""
        if isinstance(type_, GraphQLList):
            one = self._complete(type_.of_type, nodes)
            return lambda value, run: (
                [one(each, run) for each in value] if type(value) is list else leave()
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

        def complete(value: Any, run: Run) -> Any:  # noqa: ANN401
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
        read = reader(field, nodes[0])
        function: Callable[..., Any] = resolver.wrapped_func  # type: ignore[assignment]  # no other
        wants_self = resolver.self_parameter is not None
        parameters = (resolver.parent_parameter, resolver.root_parameter)
        sources = [each.name for each in parameters if each is not None]
        wanted = resolver.info_parameter

        def call(source: Any, run: Run) -> Any:  # noqa: ANN401
            arguments = run.prepared.get(call)
            if arguments is None:
                arguments = run.prepared[call] = read(run.variables)
                if wanted is not None:
                    raw = partial(self._info, parent, field, nodes, run.variables, run.context)
                    arguments[wanted.name] = _Told(run.context, raw, ours)
            if sources:
                arguments = {**arguments, **dict.fromkeys(sources, source)}
            return function(source, **arguments) if wants_self else function(**arguments)

        if wants_self and not (field.args or sources or wanted):
            return lambda source, _: function(source)
        return call

    def _info(
        self,
        parent: GraphQLObjectType,
        field: GraphQLField,
        nodes: Nodes,
        variables: dict[str, Any],
        context: Request,
    ) -> GraphQLResolveInfo:
        """Return what graphql-core would tell; the path is that of the field alone."""
        name = nodes[0].name.value
        return GraphQLResolveInfo(
            name,
            nodes,
            field.type,
            parent,
            Path(None, name, parent.name),
            self._schema,
            self._fragments,
            None,
            self._operation,
            variables,
            context,
            is_awaitable,
        )


class _Told(_Info[Request, None]):
    """The info that all nodes of a field share; most resolvers only ask it for the context."""

    # Not the run itself, which holds this: a circle of theirs would wait for the collector.
    def __init__(
        self, context: Request, raw: Callable[[], GraphQLResolveInfo], ours: StrawberryField
    ) -> None:
        self._context, self._raw, self._field = context, raw, ours

    @property
    def context(self) -> Request:
        """The request."""
        return self._context

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo:  # type: ignore[override]  # a field, made late
        return self._raw()


def _constant(key: str, value: str) -> Step:
    def step(_source: Any, out: dict[str, Any], _: Run) -> None:  # noqa: ANN401
        out[key] = value

    return step


def _attribute(key: str, name: str, complete: Complete) -> Step:
    get = attrgetter(name)

    def step(source: Any, out: dict[str, Any], run: Run) -> None:  # noqa: ANN401
        out[key] = complete(get(source), run)

    return step


def _at_once(key: str, resolve: Complete, complete: Complete) -> Step:
    def step(source: Any, out: dict[str, Any], run: Run) -> None:  # noqa: ANN401
        value = resolve(source, run)
        if hasattr(value, "__await__"):
            leave()
        out[key] = complete(value, run)

    return step


def _later(key: str, resolve: Complete, complete: Complete) -> Step:
    def step(source: Any, out: dict[str, Any], run: Run) -> None:  # noqa: ANN401
        out[key] = None  # its place among the others
        run.waiting.append(Awaited(resolve(source, run), out, key, complete))

    return step


def _leaf(type_: GraphQLScalarType | GraphQLEnumType) -> Complete:
    """Return what serializes a value; as it is, if that is what the type would do with it."""
    as_it_is = _AS_IT_IS.get(type_)

    def complete(value: Any, _: Run) -> Any:  # noqa: ANN401
        if type(value) is as_it_is:
            return value
        shown = Undefined if value is None else type_.serialize(value)
        return leave() if shown is None or shown is Undefined else shown

    if not isinstance(type_, GraphQLEnumType):
        return complete
    names: dict[Any, str] = {}

    def name(value: Any, run: Run) -> Any:  # noqa: ANN401
        found = names.get(value)
        if found is None:
            found = names[value] = complete(value, run)
        return found

    return name
