"""Rules that every read model keeps."""

import re

from hypothesis import given

from domain.events import EVENTS
from projections import PROJECTIONS
from projections.readmodel import Recorded, Rows
from tests.histories import HISTORIES

NOUN = re.compile("[a-z][a-z0-9_]*")


def test_names_are_unique_and_safe_in_sql() -> None:
    """Schemas, tables and columns are written into statements as they are."""
    tables = [table for model in PROJECTIONS for table in model.TABLES]
    for names in ([model.NAME for model in PROJECTIONS], [table.name for table in tables]):
        assert len(set(names)) == len(names)
        assert all(map(NOUN.fullmatch, names))
    for table in tables:
        columns = [*table.key, *table.columns]
        assert len(set(columns)) == len(columns)
        assert all(map(NOUN.fullmatch, columns))


def test_an_organization_leads_every_key() -> None:
    for model in PROJECTIONS:
        for table in model.TABLES:
            assert next(iter(table.key.items())) == ("organization_id", "uuid")


def test_a_read_model_folds_events_that_there_are() -> None:
    for model in PROJECTIONS:
        assert set(model.EVENTS) <= set(EVENTS)
        assert model.EVENTS


def copied(rows: Rows) -> Rows:
    return {key: dict(row) for key, row in rows.items()}


@given(history=HISTORIES)
def test_a_fold_changes_no_event_and_only_rows_it_names_or_makes(history: list[Recorded]) -> None:
    for model in PROJECTIONS:
        stored: Rows = {}
        for recorded in history:
            if type(recorded.event) not in model.EVENTS:
                continue
            before = repr(recorded)
            named = set(model.keys(recorded))
            everything = copied(stored)
            rows: Rows = {key: row for key, row in copied(stored).items() if key in named}
            model.project(recorded, rows)  # a row it needs and does not name would be missing
            model.project(recorded, everything)
            assert repr(recorded) == before
            # What it does not name comes out alike, whether it was there or not.
            for key in rows.keys() - named:
                assert rows[key] == everything[key]
                assert set(rows[key]) <= set(key.table.columns)
            stored |= rows
        for key, row in stored.items():
            assert key.table in model.TABLES
            assert len(key.values) == len(key.table.key)
            assert set(row) <= set(key.table.columns)
            assert key.values[0] is not None
