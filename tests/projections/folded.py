"""What a read model holds after some events, as a test writes it down."""

from types import ModuleType

from domain.aggregate import Aggregate
from projections.readmodel import Recorded, Row, Rows


def folded(model: ModuleType, *aggregates: Aggregate) -> dict[tuple[object, ...], Row]:
    """Return the rows by table name and key, after all that is pending in the aggregates.

    As the projector does, `project` is given only the rows that `keys` names, and those made.
    """
    stored: Rows = {}
    events = [event for aggregate in aggregates for event in aggregate.happened]
    for position, event in enumerate(events, 1):
        if type(event) not in model.EVENTS:
            continue
        recorded = Recorded(position, event)
        named = list(model.keys(recorded))
        rows: Rows = {key: dict(stored[key]) for key in named if key in stored}
        model.project(recorded, rows)
        stored |= rows
    return {(key.table.name, *key.values): row for key, row in stored.items()}
