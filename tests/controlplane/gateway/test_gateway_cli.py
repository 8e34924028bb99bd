"""`controlplane gateway`: a snapshot in a file, whole, signed and checked."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.app import running
from controlplane.cli import restore
from controlplane.commands.organization import EstablishOrganization
from domain.access_token import Role
from tests.controlplane.gateway.edge import Provider, serving
from tests.controlplane.test_cli import Terminal
from tests.given import OPERATOR, caller


@pytest.fixture
def terminal(
    dsn: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal(dsn, monkeypatch, capfd)


async def sell(dsn: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have an organization sell something; return what its gateway is told, and the keys."""
    async with running(dsn) as app, serving(app) as client:
        operator = Provider(app, OPERATOR)
        organization = await operator.make(EstablishOrganization(slug="ace", name="Ace"))
        provider = Provider(app, caller(Role.OWNER, organization))
        await provider.product("pets")
        token = await provider.gateway("edge")
        await provider.key(await provider.subscription("pets"))
        await provider.gateway("east")
        await provider.gateway("west")
        await provider.settled()
        keys = await client.get(None, path="/gateway/v1/keys")
        return await client.config(token), await keys.json()


@pytest.fixture
def sold(dsn: str, tmp_path: Path) -> dict[str, Any]:
    """Return what a gateway is told, and leave the keys in `keys.json`."""
    document, keys = asyncio.run(sell(dsn))
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    return document


def test_a_snapshot_in_a_file_is_the_polled_one(
    terminal: Terminal, sold: dict[str, Any], tmp_path: Path
) -> None:
    out, keys = tmp_path / "edge.json", tmp_path / "keys.json"
    out.write_text("of before")

    terminal.run("gateway", "snapshot", "--group", "edge", "--out", str(out))

    written = json.loads(out.read_text())
    differs = {"issued_at", "signature"}
    assert {name: written[name] for name in written.keys() - differs} == {
        name: sold[name] for name in sold.keys() - differs
    }
    said = terminal.run("gateway", "verify", str(out), "--keys", str(keys))
    assert said.startswith(f"edge at {sold['cursor']}, {sold['content_hash']}, issued ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edge.json", "keys.json"]


def test_a_snapshot_that_was_touched_is_not_to_be_used(
    terminal: Terminal, sold: dict[str, Any], tmp_path: Path
) -> None:
    out, keys = tmp_path / "edge.json", str(tmp_path / "keys.json")
    sold["subscriptions"][0]["keys"][0]["not_after"] = "2099-01-01T00:00:00+00:00"
    out.write_text(json.dumps(sold))
    assert "content hash" in terminal.refused("gateway", "verify", str(out), "--keys", keys)

    out.write_text(json.dumps({**sold, "max_staleness_s": 10**9}))
    assert "signature" in terminal.refused("gateway", "verify", str(out), "--keys", keys)
    for text in ("[]", "no JSON"):
        out.write_text(text)
        assert str(out) in terminal.refused("gateway", "verify", str(out), "--keys", keys)


def test_what_cannot_be_written_leaves_what_was_there(
    terminal: Terminal, sold: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "edge.json"
    folder.mkdir()

    told = terminal.refused("gateway", "snapshot", "--group", "edge", "--out", str(folder))

    assert "cannot be written" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edge.json", "keys.json"]


def test_keys_are_rotated_one_after_the_other(terminal: Terminal) -> None:
    # What is logged is on standard output too, as nobody configured it.
    first, announced = terminal.run("gateway", "rotate-key").splitlines()[-2:]
    assert first.endswith("  signs")
    assert not announced.endswith("  signs")
    assert "announced already" in terminal.refused("gateway", "rotate-key")

    fresh = terminal.run("gateway", "rotate-key", "--compromised").splitlines()[-1]
    assert fresh.endswith("  signs")
    assert fresh.split()[0] not in {first.split()[0], announced}
    assert "--overlap-s" in terminal.refused("gateway", "rotate-key", "--overlap-s", "1")


def test_an_epoch_is_confirmed_for_all_groups_once(
    terminal: Terminal, sold: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "GROUPS", 2)
    assert "3 gateway groups" in terminal.run("epoch", "confirm", "--organization", "ace")
    assert "0 gateway groups" in terminal.run("epoch", "confirm")

    out = tmp_path / "edge.json"
    terminal.run("gateway", "snapshot", "--group", "edge", "--out", str(out))
    epoch = int(sold["cursor"].partition(".")[0])
    assert json.loads(out.read_text())["group"]["confirmed_epoch"] == epoch
