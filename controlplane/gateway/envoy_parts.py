"""What Envoys say they run, part by part, to whichever process they ask: kept for all of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from controlplane.gateway.acknowledgement import EVER_GIVEN, Heard, gateways
from controlplane.store import Connection
from domain.cursor import Cursor

# Rows are locked in one order. What is the same as before is no write, nor is what was said before
# what is known: a process may be slow. An Envoy that starts runs nothing, whatever it ran before.
# What another history gave it, which is not this one's to come, makes room for anything.
_SAY = (
    "INSERT INTO envoy_parts AS known"  # noqa: S608  # the text of a constant
    " (organization_id, gateway_id, part, version, sent_epoch, sent_position)"
    " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[],"
    " $6::bigint[]) ORDER BY 1, 2, 3"
    " ON CONFLICT (organization_id, gateway_id, part) DO UPDATE SET version = EXCLUDED.version,"
    " sent_epoch = EXCLUDED.sent_epoch, sent_position = EXCLUDED.sent_position"
    " WHERE (known.version, known.sent_epoch, known.sent_position)"
    " <> (EXCLUDED.version, EXCLUDED.sent_epoch, EXCLUDED.sent_position)"
    " AND (EXCLUDED.version = '' OR (known.sent_epoch, known.sent_position)"
    " <= (EXCLUDED.sent_epoch, EXCLUDED.sent_position)"
    f" OR (known.sent_epoch, known.sent_position) > {EVER_GIVEN})"
)
_PARTS = (
    "SELECT gateway_id, epoch, position, array_agg(part) AS parts, array_agg(version) AS versions"
    " FROM envoy_parts LEFT JOIN gateway_acknowledgements USING (organization_id, gateway_id)"
    " WHERE (organization_id, gateway_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
    " GROUP BY organization_id, gateway_id, epoch, position"
)


class PartRuns(NamedTuple):
    """An Envoy says which version of a part it runs."""

    gateway: Heard
    part: str
    version: str
    """"" for none."""
    sent_at: Cursor
    """The configuration of which it was sent that."""


class EnvoyRuns(NamedTuple):
    """Which version of each part an Envoy runs, whoever was told."""

    versions: Mapping[str, str]
    acknowledged: Cursor | None
    """The configuration that it was last known to run."""


async def say(connection: Connection, said: Sequence[PartRuns]) -> list[EnvoyRuns]:
    """Keep what Envoys say of their parts; return of each what it runs altogether.

    Two statements and no transaction: of two processes that are told at once of two parts, the
    one that commits last reads what both were told.
    """
    which = gateways(said)
    await connection.execute(
        _SAY,
        *which,
        [each.part for each in said],
        [each.version for each in said],
        [each.sent_at.epoch for each in said],
        [each.sent_at.position for each in said],
    )
    runs = {
        row["gateway_id"]: EnvoyRuns(
            dict(zip(row["parts"], row["versions"], strict=True)),
            None if row["position"] is None else Cursor(row["epoch"], row["position"]),
        )
        for row in await connection.fetch(_PARTS, *which)
    }
    return [runs[each.gateway.gateway_id] for each in said]
