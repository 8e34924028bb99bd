"""Mutations: the one way from an input through a command to a payload or a refusal."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from controlplane.commands import Answer, Command, execute
from controlplane.context import Caller
from controlplane.global_id import global_id
from controlplane.graphql.errors import NOTHING_RENAMED, RefusedError, Rejected, rejected
from controlplane.graphql.loaders import Info, Key, Kind, one
from controlplane.graphql.scalars import Position
from controlplane.store.projector import ReadModelsBehindError
from domain.aggregate import DomainError

N = TypeVar("N")


@strawberry.input
class Asked:
    """What every input may say besides its own."""

    reason: str = strawberry.field(
        default="", description="Why, for the audit trail; at most 20,000 characters."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="1 to 200 printable ASCII characters. The same input with the same key is done"
        " once, and answered alike for 24 hours.",
    )
    dry_run: bool = strawberry.field(
        default=False, description="Only tell what would happen, and change nothing."
    )

    def said(self) -> dict[str, Any]:
        """Return what every command is told."""
        return {"reason": self.reason, "idempotency_key": self.idempotency_key}


@strawberry.input
class AskedAtVersion(Asked):
    """What the inputs may say that change something known."""

    expected_version: int | None = strawberry.field(
        default=None,
        description="The version the caller has seen; refused when it is at another by now.",
    )

    def said(self) -> dict[str, Any]:
        """Return what every command about something known is told."""
        return {**super().said(), "expected_version": self.expected_version}


@strawberry.type
class SecretShownOnce:
    """A key or token at the only time it can be seen; keep it now."""

    value: str = strawberry.field(description="The secret itself.")


@strawberry.type
class SecretAlreadyShown:
    """The command was done before, and its secret shown then; only its hash is kept."""

    message: str = strawberry.field(description="What to do, for people.")


Secret = Annotated[
    SecretShownOnce | SecretAlreadyShown,
    strawberry.union(
        "Secret", description="A secret at its first showing, or the word that it was."
    ),
]


@strawberry.interface
class Changed:
    """What a command did, or after a dry run would do."""

    kinds: ClassVar[tuple[Kind[Any], ...]]
    """What it is about: the first event of one of these kinds says which."""

    kind: strawberry.Private[Kind[Any]]
    key: strawberry.Private[Key]
    answer: strawberry.Private[Answer]

    @strawberry.field
    def id(self) -> strawberry.ID | None:
        """Return the id of what it was done to; null after a dry run."""
        if self.answer.outcome.position is None:
            return None
        return strawberry.ID(global_id(self.kind.name, self.key[1:]))

    @strawberry.field
    def position(self, info: Info) -> Position | None:
        """Return the position of the last event, for X-Min-Position; null after a dry run."""
        number = self.answer.outcome.position
        return None if number is None else info.context.position(number)

    @strawberry.field
    def events(self) -> list[str]:
        """Return the topics of the events, in their order."""
        return [event.TOPIC for event in self.answer.outcome.events]

    async def node(self, info: Info, kind: Kind[N]) -> N | None:
        """Return what was changed as queries see it; None after a dry run.

        Raises RefusedError when the read models stay behind; the command is done nevertheless.
        """
        position = self.answer.outcome.position
        if position is None:
            return None
        try:
            await info.context.app.projector.wait_until(position)
        except ReadModelsBehindError as behind:
            raise RefusedError("UNAVAILABLE", f"The command is done. {behind}") from None
        return await one(info, kind, self.key)


@strawberry.interface
class Issued(Changed):
    """What a command did that made a secret."""

    @strawberry.field
    def secret(self) -> Secret | None:
        """Return the secret, the only time; null after a dry run."""
        answer = self.answer
        if answer.secret is not None:
            return SecretShownOnce(value=answer.secret)
        if not answer.outcome.repeated:
            return None
        return SecretAlreadyShown(
            message="It was shown when this was done first, and cannot be shown again."
            " If it is lost, revoke it and issue another one."
        )


C = TypeVar("C", bound=Changed)


async def change(
    info: Info,
    payload: type[C],
    asked: Asked,
    command: Callable[[], Command],
    *,
    renamed: Mapping[str, str] = NOTHING_RENAMED,
    by: Caller | None = None,
) -> C | Rejected:
    """Execute the command that the input asks for.

    `command` may raise DomainError for what the input says; `renamed` are fields of the command
    that are elsewhere in the input; `by` is who asks, if not the caller. Raises UnavailableError.
    """
    # Mutations run one after the other: none may see what was read before it.
    info.context.loaders.clear()
    context = info.context.context
    context = context if by is None else replace(context, caller=by)
    try:
        answer = await execute(command(), context, dry_run=asked.dry_run)
    except DomainError as refusal:
        return rejected(refusal, renamed)
    kind, key = _about(payload.kinds, answer)
    return payload(kind=kind, key=key, answer=answer)


def mutation(resolver: Callable[..., Awaitable[C | Rejected]]) -> StrawberryField:
    """Return the field of a resolver; its answer is a union named after it: `PublishPlanResult`."""
    name = to_camel_case(resolver.__name__)
    result = strawberry.union(
        f"{name[0].upper()}{name[1:]}Result", description=f"What {name} did, or why not."
    )
    answered = resolver.__annotations__["return"]
    return strawberry.mutation(resolver, graphql_type=Annotated[answered, result])


def _about(kinds: tuple[Kind[Any], ...], answer: Answer) -> tuple[Kind[Any], Key]:
    for event in answer.outcome.events:
        for kind in kinds:
            found = kind.key_in(event)
            if found is not None:
                return kind, (UUID(event.why["organization"]), *found)
    raise AssertionError(f"No event is about any of {[kind.name for kind in kinds]}.")
