"""Operations compiled once into plain functions, for what most of them ask.

graphql-core decides for every field of every node anew what it is and how it is resolved; of a
document that comes again that can be decided once. Here it is, for what has no directives.
Whatever else there is, and every error, is left to graphql-core: it executes the whole operation
after all, so that errors are its own. What was read is read from the request's loaders then, and
what a mutation did is not done again: it is told what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

from graphql import FieldNode, GraphQLResolveInfo

from controlplane.graphql.arguments import Variables
from controlplane.graphql.loaders import Request


class LeftToGraphQLCoreError(Exception):
    """What is compiled cannot answer this; graphql-core can."""

    def __init__(self, outcomes: Sequence[object] = ()) -> None:
        super().__init__()
        self._outcomes = outcomes

    @property
    def middleware(self) -> list[Callable[..., Any]] | None:
        """What graphql-core has to be given, lest it does again what a mutation did."""
        if not self._outcomes:
            return None
        (outcome,) = self._outcomes

        def instead(
            resolve: Callable[..., Any],
            source: object,
            info: GraphQLResolveInfo,
            **arguments: Any,  # noqa: ANN401  # those of any field
        ) -> object:
            if info.path.prev is not None:
                return resolve(source, info, **arguments)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return [instead]  # it passes over whatever is no plain function


class Run:
    """One execution of a query: what its steps have in common, and what they wait for."""

    __slots__ = ("context", "prepared", "variables", "waiting")

    def __init__(self, context: Request, variables: dict[str, Any]) -> None:
        self.context = context
        self.variables = variables
        self.waiting: list[Awaited] = []
        self.prepared: dict[object, dict[str, Any]] = {}
        """The arguments of each field with a resolver, info among them; its nodes share them."""


Complete: TypeAlias = Callable[[Any, Run], Any]
Step: TypeAlias = Callable[[Any, dict[str, Any], Run], None]
Nodes: TypeAlias = list[FieldNode]


class Awaited(NamedTuple):
    """What a resolver will yield, where that goes, and how it is completed."""

    value: Awaitable[Any]
    out: dict[str, Any]
    key: str
    complete: Complete


class Compiled:
    """A compiled operation; `roots` are the fields of Query, or the one of Mutation, it names."""

    def __init__(
        self, roots: frozenset[str], coerce: Variables, complete: Complete, *, changes: bool
    ) -> None:
        self.roots = roots
        self.changes = changes
        self._coerce = coerce
        self._complete = complete

    async def run(self, context: Request, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the data. Raises LeftToGraphQLCoreError."""
        try:
            run = Run(context, self._coerce(variables))
        except Exception as error:  # what scalars raise, and too deep an input
            raise LeftToGraphQLCoreError from error
        outcomes: Sequence[object] = ()
        try:
            data: dict[str, Any] = self._complete(None, run)
            while run.waiting:
                waiting, run.waiting = run.waiting, []
                found = await _all(waiting)
                if self.changes and not outcomes:
                    outcomes = found
                if any(isinstance(value, BaseException) for value in found):
                    leave()
                for each, value in zip(waiting, found, strict=True):
                    each.out[each.key] = each.complete(value, run)
        except Exception as error:
            for each in run.waiting:
                each.value.close()  # type: ignore[attr-defined]  # they are coroutines
            raise LeftToGraphQLCoreError(outcomes) from error
        return data


async def _all(waiting: list[Awaited]) -> Sequence[object]:
    """Return what each yields or raises."""
    if len(waiting) > 1:
        found: Sequence[object] = await asyncio.gather(
            *(each.value for each in waiting), return_exceptions=True
        )
        return found
    try:
        return [await waiting[0].value]  # without a task of its own
    except Exception as error:  # noqa: BLE001  # graphql-core raises it again
        return [error]


def leave() -> NoReturn:
    """Raise LeftToGraphQLCoreError."""
    raise LeftToGraphQLCoreError
