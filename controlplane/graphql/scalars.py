"""What GraphQL's own scalars are too small, or too imprecise, for."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.cursor import Cursor, read_cursor

BIGINT_MAX = 2**63 - 1
INSTANT_CHARS = 40
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)


Position = Cursor


def read_position(value: object) -> Cursor:
    """Return the position that a client kept. Raises GraphQLError."""
    cursor = read_cursor(value) if isinstance(value, str) else None
    if cursor is None:
        raise GraphQLError("A Position is a string that the control plane gave out, as 1.42.")
    return cursor


def _read_decimal(value: object) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise GraphQLError("A Decimal is a string of digits, as 19.90; no exponent.")
    return Decimal(value)


def _read_instant(value: object) -> datetime:
    try:
        if not isinstance(value, str) or len(value) > INSTANT_CHARS:
            raise ValueError  # noqa: TRY301  # one message for whatever it is
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError  # noqa: TRY301
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(
            "A DateTime is an ISO 8601 instant with its offset, as 2026-01-31T12:00:00Z."
        ) from None


def _read_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > BIGINT_MAX:
        raise GraphQLError("A Count is an integer of at most 64 bits.")
    return value


def _write_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _write_decimal(number: Decimal) -> str:
    return format(number, "f")


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  # any JSON
    return value


Count = NewType("Count", int)
JSON = NewType("JSON", object)

SCALARS: dict[object, ScalarDefinition] = {
    Position: strawberry.scalar(
        name="Position",
        description="A place in the history, opaque: keep it, compare it for equality, send it"
        " back in X-Min-Position or a filter. One of before a restore or failover is refused.",
        serialize=str,
        parse_value=read_position,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as the string "19.90": money is never a float.',
        serialize=_write_decimal,
        parse_value=_read_decimal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant, ISO 8601 with its offset; answers are in UTC."
        " One without an offset is refused.",
        serialize=_write_instant,
        parse_value=_read_instant,
    ),
    Count: strawberry.scalar(
        name="Count",
        description="A number of calls or bytes: an integer of 64 bits, too large for Int.",
        serialize=int,
        parse_value=_read_count,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        serialize=_as_it_is,
        parse_value=_as_it_is,
    ),
}
