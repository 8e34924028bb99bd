"""Reads and writes the rows of read models: a batch at a time, never one by one."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeAlias

import orjson
from asyncpg import Record

from controlplane.store import Connection
from projections.readmodel import Key, Row, Rows, Table

COPY_ROWS = 500
"""From how many rows on PostgreSQL takes them faster by COPY, whatever that costs us."""

Keys: TypeAlias = Iterable[Key]


async def create(connection: Connection, schema: str, table: Table) -> None:
    """Create the table in a schema that has none of it; `add_key` and `add_indexes` follow."""
    columns = {**table.key, **table.columns}
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    await connection.execute(f"CREATE TABLE {schema}.{table.name} ({listed})")


async def add_key(connection: Connection, schema: str, table: Table) -> None:
    """Add the primary key; built over rows that are there it costs half."""
    key = ", ".join(table.key)
    await connection.execute(f"ALTER TABLE {schema}.{table.name} ADD PRIMARY KEY ({key})")


async def add_indexes(connection: Connection, schema: str, table: Table) -> None:
    """Add the other indexes; built over rows that are there they cost half."""
    for columns in table.indexes:
        await connection.execute(f"CREATE INDEX ON {schema}.{table.name} ({columns})")
    for text in table.texts:
        await connection.execute(f"CREATE INDEX ON {schema}.{table.name} USING gin (({text}))")


async def load(connection: Connection, schema: str, tables: Iterable[Table], keys: Keys) -> Rows:
    """Return those of the rows that exist; one statement a table."""
    wanted: dict[Table, list[tuple[object, ...]]] = {}
    for key in keys:
        wanted.setdefault(key.table, []).append(key.values)
    rows: Rows = {}
    for table in tables:
        if table.appends or table not in wanted:
            continue
        sought = [dict(zip(table.key, values, strict=True)) for values in wanted[table]]
        for record in await connection.fetch(_select(schema, table), _json(sought)):
            rows[_key(table, record)] = {name: record[name] for name in table.columns}
    return rows


async def flush(
    connection: Connection,
    schema: str,
    tables: Iterable[Table],
    rows: Rows,
    *,
    new: Container[Key] = frozenset(),
) -> None:
    """Store the rows in place of those with the same keys; `new` are keys that none has yet."""
    inserted: dict[Table, list[tuple[Key, Row]]] = {table: [] for table in tables}
    replaced: dict[Table, list[tuple[Key, Row]]] = {table: [] for table in tables}
    for key, row in rows.items():
        chosen = inserted if key.table.appends or key in new else replaced
        chosen[key.table].append((key, row))
    for table, given in inserted.items():
        if given:
            await _insert(connection, schema, table, given)
    for table, given in replaced.items():
        if given:
            await _replace(connection, schema, table, given)


async def _insert(
    connection: Connection, schema: str, table: Table, given: Sequence[tuple[Key, Row]]
) -> None:
    if len(given) < COPY_ROWS:
        names = ", ".join([*table.key, *table.columns])
        statement = f"INSERT INTO {schema}.{table.name} ({names}) {_sent(table)}"
        await connection.execute(statement, _document(table, given))
    else:
        await _copy(connection, table, given, schema=schema)


async def _replace(
    connection: Connection, schema: str, table: Table, given: Sequence[tuple[Key, Row]]
) -> None:
    if len(given) < COPY_ROWS:
        statement = _upsert(schema, table, _sent(table))
        await connection.execute(statement, _document(table, given))
        return
    copied = f"copied_{table.name}"
    await connection.execute(
        f"CREATE TEMP TABLE {copied} ON COMMIT DROP AS"
        f" SELECT * FROM {schema}.{table.name} WITH NO DATA"
    )
    await _copy(connection, table, given, name=copied)
    await connection.execute(_upsert(schema, table, f"SELECT * FROM {copied}"))
    await connection.execute(f"DROP TABLE {copied}")


async def fingerprint(connection: Connection, schema: str, table: Table) -> tuple[int, str]:
    """Return how many rows a table has and a hash of all of them, whatever their order."""
    row = await connection.fetchrow(
        "SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
        f" AS hash FROM {schema}.{table.name} AS t"
    )
    assert row is not None
    return row["rows"], row["hash"]


def _key(table: Table, record: Record) -> Key:
    return Key(table, tuple(record[name] for name in table.key))


async def _copy(
    connection: Connection,
    table: Table,
    given: Sequence[tuple[Key, Row]],
    *,
    schema: str | None = None,
    name: str | None = None,
) -> None:
    await connection.copy_records_to_table(
        name or table.name,
        schema_name=schema,
        columns=[*table.key, *table.columns],
        records=[(*key.values, *map(row.get, table.columns)) for key, row in given],
    )


def _document(table: Table, given: Sequence[tuple[Key, Row]]) -> str:
    """Return the rows with their keys for `_sent`."""
    return _json([{**row, **dict(zip(table.key, key.values, strict=True))} for key, row in given])


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the rows as JSON, which is made in a fraction of the driver's time for arrays."""
    return orjson.dumps(rows, str).decode()


def _sent(table: Table) -> str:
    """Return what selects the rows of a document, those of jsonb read from their text."""
    kinds = {**table.key, **table.columns}
    named = [f"{name}::jsonb" if kind == "jsonb" else name for name, kind in kinds.items()]
    typed = [f"{name} {'text' if kind == 'jsonb' else kind}" for name, kind in kinds.items()]
    return f"SELECT {', '.join(named)} FROM json_to_recordset($1) AS sent ({', '.join(typed)})"


def _select(schema: str, table: Table) -> str:
    key = ", ".join(table.key)
    typed = ", ".join(f"{name} {kind}" for name, kind in table.key.items())
    wanted = f"json_to_recordset($1) AS wanted ({typed})"
    return f"SELECT * FROM {schema}.{table.name} JOIN {wanted} USING ({key})"


def _upsert(schema: str, table: Table, source: str) -> str:
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in table.columns)
    return (
        f"INSERT INTO {schema}.{table.name} ({', '.join([*table.key, *table.columns])}) {source}"
        f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changes}"
    )
