"""Backup and restore with PostgreSQL's own tools: nothing revoked comes back."""

import asyncio
import json
import os
import subprocess
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from controlplane import revocations
from controlplane.app import App, running
from controlplane.commands import execute
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.commands.subscription import CancelSubscription, ReinstateSubscription
from controlplane.commands.team import RegisterDeveloper
from controlplane.settings import Settings
from controlplane.store.embedded import ensure, find_binaries
from domain.events import EVENTS
from domain.subscription_life import SubscriptionNotExpiredError
from tests.controlplane.commands.world import World, world
from tests.given import OWNER
from tests.processes import Served, controlplane, eventually, get, serving

TOOLS_S = 60
FINAL = ("revoked", "cancelled", "forgotten", "closed", "retired", "erased", "removed", "left")
GIVES_NOTHING_BACK = {
    # Of the catalogue, and not for good: each can be reinstated, which no journal says.
    "api_product.retired",
    "api_version.retired",
    # Of what is for sale: it takes a right from nobody, and those who have one keep it.
    "plan.closed",
    # A setting that is changed to and fro.
    "organization.registration_closed",
}
"""Topics that end in a word of FINAL, of which a restore nevertheless gives nobody anything."""


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(find_binaries() / name), *arguments],
        capture_output=True,
        text=True,
        timeout=TOOLS_S,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr


def ask(served: Served, query: str, token: str, **variables: str) -> Any:
    request = urllib.request.Request(  # noqa: S310  # our own service
        served.announced["graphql"],
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]


def poll(served: Served, token: str, since: str = "") -> Any:
    path = f"{served.announced['url']}/gateway/v1/config?since={since}"
    status, body = get(
        path if since else path.partition("?")[0], {"Authorization": f"Bearer {token}"}
    )
    assert status == 200, body
    return json.loads(body)


def keys_of(document: Any) -> set[str]:
    return {key["id"] for row in document["subscriptions"] for key in row["keys"]}


REVOKE = """mutation ($id: ID!) { revokeCredential(input: {credentialId: $id}) {
  __typename ... on Changed { position } } }"""
KEYS = """{ subscriptions(state: ACTIVE) { nodes { credentials { nodes { id name state } } } } }"""
PERSONS = "{ teams { nodes { developers { nodes { name mail } } } } }"


async def test_a_dump_restores_all_but_what_was_revoked_since(dsn: str, tmp_path: Path) -> None:
    """One installation: dumped, changed, lost, restored, checked and served again."""
    journal, dump = tmp_path / "revocations", tmp_path / "dump"
    variables = {"CONTROLPLANE_REVOCATIONS_FILE": str(journal)}
    with serving(tmp_path / "1", "--demo", CONTROLPLANE_DATABASE_URL=dsn, **variables) as first:
        tokens = first.announced["tokens"]
        given = [
            key
            for subscription in ask(first, KEYS, tokens["owner"])["subscriptions"]["nodes"]
            for key in subscription["credentials"]["nodes"]
        ]
        before, after, kept = given[:3]
        ask(first, REVOKE, tokens["owner"], id=before["id"])
        tool("pg_dump", "--format=custom", f"--file={dump}", dsn)
        persons = ask(first, PERSONS, tokens["owner"])
        ask(first, REVOKE, tokens["owner"], id=after["id"])
        assert eventually(lambda: after["name"] in journal.read_text())
        cursor = poll(first, tokens["gateway"])["cursor"]
        first.stop()
    assert json.dumps(persons).count("@") == 3

    admin = await asyncpg.connect(dsn)
    new = f"{(await admin.fetchval('SELECT current_database()'))}_restored"
    await admin.execute(f"CREATE DATABASE {new}")
    try:
        restored = dsn.replace(f"/{new.removesuffix('_restored')}?", f"/{new}?")
        tool("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(dump))
        checked = controlplane("check", CONTROLPLANE_DATABASE_URL=restored)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        variables["CONTROLPLANE_DATABASE_URL"] = restored
        with serving(tmp_path / "2", **variables) as second:
            document = poll(second, tokens["gateway"], since=cursor)
            assert document["full"]
            assert int(document["cursor"].partition(".")[0]) == int(cursor.partition(".")[0]) + 1
            names = keys_of(document)
            assert kept["name"] in names
            assert not {before["name"], after["name"]} & names
            assert ask(second, PERSONS, tokens["owner"]) == persons
            assert eventually(lambda: journal.read_text().count(after["name"]) == 2)
            second.stop()
        link = await asyncpg.connect(restored)
        documents = "SELECT count(*) FROM documents WHERE sha256(body) = sha256"
        assert await link.fetchval(documents) == await admin.fetchval(documents) > 0
        await link.close()
    finally:
        await admin.execute(f"DROP DATABASE {new} WITH (FORCE)")
        await admin.close()


async def test_a_physical_backup_restores_as_a_new_timeline(data_dir: Path, tmp_path: Path) -> None:
    """pg_basebackup of an embedded server, begun again as documented."""
    first = ensure(data_dir)
    async with running(first.dsn) as app:
        there = await world(app)
        epoch = app.epoch
        await app.services.vault.seal(OWNER.organization_id, there.team, "Ada")
        tool(
            "pg_basebackup",
            f"--dbname={first.dsn}",
            f"--pgdata={data_dir / 'copy' / 'pgdata'}",
            "--checkpoint=fast",
        )
        exported = tmp_path / "export"
        await execute(
            RevokeCredential(subscription_id=there.active, credential_id=there.credential),
            app.context(OWNER),
        )
        await write_journal(app, exported)
    first.close()
    copy = data_dir / "copy"
    with (copy / "pgdata" / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\nhot_standby = off\n")
    (copy / "pgdata" / "recovery.signal").touch()
    owner = (data_dir / "pgdata").stat()
    for path in (copy / "pgdata", *(copy / "pgdata").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    copy.chmod(0o711)
    said = controlplane("revocations", "repeat", str(exported), CONTROLPLANE_DATA_DIR=str(copy))
    assert said.stdout == "Taken away again: 1. In force already: 0. Not of this history: 0.\n", (
        said.stderr
    )
    again = ensure(copy)
    async with running(again.dsn) as app:
        assert app.epoch == epoch + 1
        subscription = await app.services.store.load(there.active)
        assert subscription is not None
        assert vars(subscription)["credentials"][there.credential].revoked
        assert await app.services.pool.fetchval("SELECT count(*) FROM person_keys") > 0
    again.close()


async def write_journal(app: App, path: Path) -> None:
    """Have the journal written, as `serve` does."""
    keeping = App(Settings(revocations_file=str(path)), app.services, app.projector, app.history)
    async with revocations.kept(keeping):
        deadline = time.monotonic() + 20
        wanted = await app.services.pool.fetchval(
            "SELECT count(*) FROM stored_events WHERE topic = ANY($1)", list(revocations.TAKEN_AWAY)
        )
        while time.monotonic() < deadline and len(told(path)) < wanted:
            await asyncio.sleep(0.02)


def told(path: Path) -> list[revocations.Line]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        return list(revocations.lines(file))


async def revoked(app: App, there: World) -> None:
    command = RevokeCredential(subscription_id=there.active, credential_id=there.credential)
    await execute(command, app.context(OWNER))


async def test_the_journal_has_every_revocation_once_whenever_its_writer_stops(
    app: App, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    there = await world(app)
    await revoked(app, there)  # before there was a journal
    await write_journal(app, path)
    assert [line.event for line in told(path)] == ["subscription.credential_revoked"]
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as file:
        file.write(b'{"cursor": "1.9", "ev')  # the machine stopped here
    await execute(CancelSubscription(subscription_id=there.pending), app.context(OWNER))
    await write_journal(app, path)
    await write_journal(app, path)
    assert [line.event for line in told(path)] == [
        "subscription.credential_revoked",
        "subscription.cancelled",
    ]


async def test_revocations_are_repeated_once_and_those_of_unknown_things_counted(
    app: App, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    there = await world(app)
    line = {
        "cursor": f"{app.epoch + 1}.900",
        "why": {"organization": str(OWNER.organization_id)},
        "id": str(there.active),
        "event": "subscription.credential_revoked",
        "data": {"credential_id": there.credential},
    }
    issued_since = {**line, "data": {"credential_id": "issuedSince"}}
    gone = {**line, "id": str(there.team), "event": "access_token.revoked", "data": {}}
    other = {"event": "plan.defined"}
    path.write_text("".join(json.dumps(each) + "\n" for each in (line, issued_since, gone, other)))
    for again, already in ((1, 0), (0, 1)):
        with path.open("rb") as file:
            done = await revocations.take_away_again(app, file)
        assert done == Counter(again=again, already=already, unknown=2)
    command = IssueCredential(subscription_id=there.active)
    assert (await execute(command, app.context(OWNER))).secret  # only the key was taken away


async def test_what_was_cancelled_and_has_expired_since_is_cancelled_after_a_restore(
    app: App, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    there = await world(app)
    line = {
        "cursor": f"{app.epoch + 1}.900",
        "why": {"organization": str(OWNER.organization_id)},
        "id": str(there.due),
        "event": "subscription.cancelled",
        "data": {},
    }
    path.write_text(json.dumps(line) + "\n")
    with path.open("rb") as file:
        assert await revocations.take_away_again(app, file) == Counter(again=1)
    with pytest.raises(SubscriptionNotExpiredError):
        await execute(ReinstateSubscription(subscription_id=there.due), app.context(OWNER))


async def test_people_who_went_are_gone_after_a_restore_too(app: App, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    there = await world(app)
    people = []
    for name in ("left", "removed", "forgotten"):
        register = RegisterDeveloper(team_id=there.team, name=name, mail=f"{name}@example.com")
        done = await execute(register, app.context(OWNER))
        people.append((done.outcome.events[-1].originator_id, f"developer.{name}"))
    people.append((there.invitation, "invitation.revoked"))
    why = {"organization": str(OWNER.organization_id)}
    cursor = f"{app.epoch + 1}.900"
    path.write_text(
        "".join(
            json.dumps({"cursor": cursor, "why": why, "id": str(id_), "event": event, "data": {}})
            + "\n"
            for id_, event in people
        )
    )
    for again, already in ((4, 0), (0, 4)):
        with path.open("rb") as file:
            done_again = await revocations.take_away_again(app, file)
        assert done_again == Counter(again=again, already=already)
    found = [await app.services.store.load(id_) for id_, _ in people]
    states = [vars(each)["state"].value for each in found]
    assert states == ["REMOVED", "REMOVED", "FORGOTTEN", "REVOKED"]
    keys = await app.services.pool.fetch("SELECT person FROM person_keys")
    assert people[2][0] not in {row["person"] for row in keys}


async def test_a_restore_in_place_raises_the_epoch_above_that_of_the_journal(
    app: App, dsn: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    there = await world(app)
    await revoked(app, there)
    await write_journal(app, path)
    await revocations.recognise(dsn, path)
    assert await app.services.pool.fetchval("SELECT current_epoch()") == app.epoch
    line = json.loads(path.read_text())
    for ahead, epoch in (
        (f"{app.epoch}.999999", app.epoch + 1),  # the same server, an earlier state
        (f"{app.epoch + 6}.1", app.epoch + 7),  # a backup from before other restores
    ):
        path.write_text(json.dumps({**line, "cursor": ahead}) + "\n")
        await revocations.recognise(dsn, path)
        assert await app.services.pool.fetchval("SELECT current_epoch()") == epoch
        await revocations.recognise(dsn, path)
        assert await app.services.pool.fetchval("SELECT current_epoch()") == epoch
    raising = partial(controlplane, "epoch", "raise", CONTROLPLANE_DATABASE_URL=dsn)
    said = await asyncio.to_thread(raising)
    assert said.stdout == f"This is epoch {app.epoch + 8}.\n", said.stderr


@pytest.mark.parametrize(
    "line",
    [
        "nothing\n",
        "[]\n",
        '{"cursor": "1.1"}\n',
        '{"event": "access_token.revoked", "cursor": "x"}\n',
        '{"event": "access_token.revoked", "cursor": "1.1", "why": {}, "id": "1", "data": {}}\n',
    ],
)
def test_a_journal_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(revocations.JournalBrokenError, match="Line 1 is none"):
        list(revocations.lines([line.encode()]))


def test_a_service_whose_journal_cannot_be_written_does_not_start(dsn: str, tmp_path: Path) -> None:
    journal = str(tmp_path / "nowhere" / "journal")
    said = controlplane(
        "serve", CONTROLPLANE_DATABASE_URL=dsn, CONTROLPLANE_REVOCATIONS_FILE=journal
    )
    assert said.returncode == 1
    assert said.stderr == (
        f"controlplane: {journal} cannot be written: No such file or directory.\n"
    )


def test_everything_that_is_taken_away_for_good_is_in_the_journal() -> None:
    final = {
        event.TOPIC
        for event in EVENTS
        if event.TOPIC.rpartition("_")[2].rpartition(".")[2] in FINAL
    }
    missing = final - set(revocations.TAKEN_AWAY) - GIVES_NOTHING_BACK
    assert not missing, (
        f"After {', '.join(sorted(missing))} a restore gives something back. Enter how to repeat it"
        " in TAKEN_AWAY of controlplane/revocations.py, or the topic in GIVES_NOTHING_BACK here."
    )
