"""Rebuild of a read model from 1,000,000 events, beside the package's ProjectionRunner.

Both fold the same events of the same table into PostgreSQL rows of the same columns. The package
commits event by event, so it is given the first EVENTS_PEER of them and its rate is compared.
Also measured: incremental catch-up of the live projection, and the memory of the process.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg
from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, Tracking, Transcoder
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

from benchmarks.database import database, package_environment, server
from controlplane.app import running
from controlplane.server import YOUNG_OBJECTS
from controlplane.settings import Settings
from controlplane.store.mapper import PackageMapper, to_stored_event
from controlplane.store.rebuild import rebuild
from domain.aggregate import Aggregate, Why
from domain.subscription import Subscription
from projections import subscription

SUBSCRIPTIONS = 250_000
EVENTS_EACH = 4
EVENTS_PEER = 10_000
ROUNDS = 3
PATIENT = Settings(database_budget_s=60)
AT = datetime(2026, 1, 1, tzinfo=UTC)
WHY = Why(
    organization=str(UUID(int=1)),
    actor=str(UUID(int=2)),
    actor_kind="person",
    channel="portal",
    command=str(UUID(int=3)),
    correlation=str(UUID(int=4)),
    causation="",
    reason="",
)


def history(count: int) -> Iterator[Aggregate.Event]:
    """Return the events of many subscriptions: asked for, accepted, given a key, the key gone."""
    for nth in range(count):
        at = AT + timedelta(seconds=nth)
        one = Subscription.request(
            UUID(int=(nth + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128),
            application_id=UUID(int=nth % 1_000),
            team_id=UUID(int=nth % 100),
            plan_id=UUID(int=nth % 10),
            plan_version=1,
            at=at,
            why=WHY,
        )
        one.accept(at=at, why=WHY)
        one.issue_credential("k", sha256="0" * 64, sha1="1" * 28, not_after=None, at=at, why=WHY)
        one.revoke_credential("k", at=at, why=WHY)
        yield from (event for event in one.pending_events if isinstance(event, Aggregate.Event))


async def fill(dsn: str) -> None:
    """Store the history, as the event store would have."""
    connection = await asyncpg.connect(dsn)
    await connection.copy_records_to_table(
        "stored_events",
        columns=[
            "originator_id",
            "originator_version",
            "topic",
            "state",
            "notification_id",
        ],
        records=(
            (each.originator_id, each.originator_version, each.topic, each.state, position)
            for position, each in enumerate(map(to_stored_event, history(SUBSCRIPTIONS)), 1)
        ),
    )
    await connection.execute("ANALYZE stored_events")
    await connection.close()


class Peer(Application[UUID]):
    """The package's view of our events: it names the table after the application."""

    name = "stored"

    def construct_mapper(self, transcoder: Transcoder | None = None) -> Mapper[UUID]:
        return PackageMapper()


class PeerView(PostgresTrackingRecorder):
    """The rows of the same read model, written as the package's documentation shows."""

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        super().__init__(datastore, **options)
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS peer_subscription (organization_id uuid, id uuid,"
                " application_id uuid, team_id uuid, plan_id uuid, plan_version bigint, state text,"
                " credential_id text, version bigint, changed_at timestamptz,"
                " PRIMARY KEY (organization_id, id))"
            ).format()
        )

    def upsert(self, event: Aggregate.Event, tracking: Tracking) -> None:
        key = (event.why["organization"], event.originator_id)
        version = (event.originator_version, event.timestamp)
        with self.datastore.transaction(commit=True) as cursor:
            if isinstance(event, Subscription.Requested):
                cursor.execute(
                    "INSERT INTO peer_subscription (organization_id, id, version, changed_at,"
                    " application_id, team_id, plan_id, plan_version, state)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        *key,
                        *version,
                        event.application_id,
                        event.team_id,
                        event.plan_id,
                        event.plan_version,
                        "PENDING",
                    ),
                )
            else:
                cursor.execute(
                    "UPDATE peer_subscription SET version = %s, changed_at = %s, state = %s"
                    " WHERE organization_id = %s AND id = %s",
                    (*version, "ACTIVE", *key),
                )
            self._insert_tracking(cursor, tracking)


class PeerProjection(Projection[PeerView]):
    """Hands each event to the view."""

    name = "peer"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.upsert(domain_event, tracking)


def peer_rate(dsn: str, first: int) -> float:
    """Return the events a second of the package, from a position on."""
    environment = package_environment(dsn)
    with ProjectionRunner(
        application_class=Peer,
        projection_class=PeerProjection,
        view_class=PeerView,
        env=environment,
    ) as runner:
        view = runner.projection.view
        view.wait(Peer.name, first, timeout=60)
        started = time.perf_counter()
        view.wait(Peer.name, first + EVENTS_PEER, timeout=600)
        return EVENTS_PEER / (time.perf_counter() - started)


async def ours_rate(dsn: str, events: int) -> float:
    """Return the events a second of a rebuild with its switch."""
    async with running(dsn, PATIENT, follow=False) as app:
        started = time.perf_counter()
        await rebuild(app.services.pool, subscription, lambda _done, _of: None)
        return events / (time.perf_counter() - started)


async def catch_up_rate(dsn: str, events: int) -> float:
    """Return the events a second at which the live subscription model catches up in pages."""
    async with running(dsn, PATIENT, follow=False) as app:
        projector = type(app.projector)(app.services.pool, [subscription], 60)
        gc.collect()  # as the service does before it serves
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 10, 10)
        started = time.perf_counter()
        while await projector.catch_up():
            pass
        return events / (time.perf_counter() - started)


async def main() -> None:
    with server() as base:
        async with database(base, "rebuild") as dsn:
            async with running(dsn, PATIENT, follow=False):
                pass
            print("writing 1,000,000 events ...", file=sys.stderr)
            await fill(dsn)
            total = SUBSCRIPTIONS * EVENTS_EACH
            await rest()
            caught_up = await catch_up_rate(dsn, total)
            print(f"caught up at {caught_up:,.0f} events/s", file=sys.stderr)
            ours, peer = [], []
            for nth in range(ROUNDS):
                ours.append(await ours_rate(dsn, total))
                peer.append(await asyncio.to_thread(peer_rate, dsn, 100 + nth * 2 * EVENTS_PEER))
                print(f"ours {ours[-1]:,.0f}, package {peer[-1]:,.0f}", file=sys.stderr)
    print(
        json.dumps(
            {
                "bench": "rebuild",
                "unit": "events/s",
                "ours": round(median(ours)),
                "peer": round(median(peer)),
                "ratio": round(median(ours) / median(peer), 1),
                "catch_up": round(caught_up),
                "events": total,
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


async def rest() -> None:
    """Give the database a moment to write its checkpoint."""
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
