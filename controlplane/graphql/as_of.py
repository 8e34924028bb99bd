"""`asOf`: asks for things as they were, at a position or an instant."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from controlplane.graphql.errors import invalid, not_permitted
from controlplane.graphql.loaders import Info, root_of
from controlplane.graphql.past import Moment
from controlplane.graphql.scalars import Position
from controlplane.store.eventstore import head

_COMMITTED = (
    "SELECT position FROM commits WHERE committed_at <= $1"
    " ORDER BY committed_at DESC, position DESC LIMIT 1"
)
_INSTANT = "SELECT committed_at FROM commits WHERE position >= $1 ORDER BY position LIMIT 1"


@strawberry.input
class AsOf:
    """A moment of the history: give one of the two."""

    position: Position | None = strawberry.field(
        default=None, description="Right after the event at this position."
    )
    at: datetime | None = strawberry.field(
        default=None, description="At this instant, by the clock of the database."
    )


AsOfArgument: TypeAlias = Annotated[
    AsOf | None,
    strawberry.argument(
        description="Return it, and everything below it, as it was then; null before it began."
        " Seen by those who see it now and would have seen it then; needs a token."
    ),
]


async def look_back(info: Info, as_of: AsOf | None) -> Moment | None:
    """Have the field that is being answered, and all below it, read the past.

    Raises RefusedError for a moment of another epoch or one that is yet to come.
    """
    if as_of is None:
        return None
    position = await position_of(info, as_of)
    at = as_of.at or await instant_of(info, position) or info.context.now
    return _look(info, Moment(position, at, info.context.fetch))


def look_now(info: Info) -> Moment:
    """Have the field that is being answered, and all below it, read one moment of the present."""
    request = info.context
    return _look(info, Moment(max(request.app.projector.position, 0), request.now, request.fetch))


def _look(info: Info, moment: Moment) -> Moment:
    info.context.moments[root_of(info)] = moment
    return moment


async def position_of(info: Info, as_of: AsOf) -> int:
    """Return the number of the last event of the history up to the moment, 0 before the first.

    Queries see that position when this returns. Raises RefusedError, ReadModelsBehindError.
    """
    request = info.context
    if request.caller.role is None:
        raise not_permitted("catalogue:read")
    if (as_of.position is None) is (as_of.at is None):
        raise invalid("`asOf` is a `position` or an instant `at`, one of them.")
    app = request.app
    async with app.services.lend() as connection:
        if as_of.position is not None:
            number = request.number(as_of.position)
            if number > await head(connection):
                raise invalid(f"Position {as_of.position} is yet to come.")
        else:
            async with connection.transaction():
                # A commit under way has its instant already, and is not to be seen yet.
                await connection.execute("LOCK TABLE stored_events IN ROW SHARE MODE")
                if as_of.at > await connection.fetchval("SELECT clock_timestamp()"):
                    raise invalid("That instant is yet to come, by the clock of the database.")
            number = await connection.fetchval(_COMMITTED, as_of.at) or 0
    await app.projector.wait_until(number)
    return number


async def instant_of(info: Info, position: int) -> datetime | None:
    """Return when the event at a position was committed; None before the first event."""
    rows = await info.context.fetch(_INSTANT, position)
    found: datetime | None = rows[0]["committed_at"] if rows and position else None
    return found
