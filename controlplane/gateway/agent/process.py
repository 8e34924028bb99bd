"""One agent as a process: what its options say is put together here."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from aiohttp import ClientSession

from controlplane.gateway.agent import files
from controlplane.gateway.agent.agent import Agent
from controlplane.gateway.agent.files import FileUnusableError
from controlplane.gateway.agent.gateway import Gateway
from controlplane.gateway.agent.kept import Kept
from controlplane.gateway.agent.source import Source
from controlplane.gateway.agent.status import Status
from controlplane.gateway.agent.trust import Trust
from controlplane.gateway.renderers import Site
from domain.signed import Jwk

STATUS, TRUSTED = "status.json", "trusted.json"
GATEWAYS = {"envoy": "Envoy", "haproxy": "HAProxy"}
"""The class that drives a vendor's gateway, in the module of its name."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    vendor: str
    site: Site
    token: str
    group: str | None
    state: Path
    keys: Path | None
    begin: Path | None
    wait_s: float
    once: bool


async def run(options: Options) -> None:
    """Run an agent until SIGTERM or SIGINT, or with `once` until its gateway runs the latest."""
    main = asyncio.current_task()
    assert main is not None
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, main.cancel)
    kept = Kept(options.state)
    keys = _keys(options.keys) if options.keys else []
    snapshot = files.read(options.begin) if options.begin else None
    async with ClientSession() as session:
        agent = Agent(
            Source(session, options.site.control_plane, options.token, options.group),
            _gateway(options.vendor, options.site),
            kept,
            Trust(keys, options.state / TRUSTED),
            Status(options.state / STATUS),
            lambda: datetime.now(UTC),
            0 if options.once else options.wait_s,
        )
        agent.resume(snapshot)
        with suppress(asyncio.CancelledError):
            await agent.run(once=options.once)


def _gateway(vendor: str, site: Site) -> Gateway:
    # Imported when it is used: the descriptors of Envoy take longer than all the rest.
    module = import_module(f"controlplane.gateway.agent.{vendor}")
    drive: Callable[[Site], Gateway] = getattr(module, GATEWAYS[vendor])
    return drive(site)


def _keys(path: Path) -> list[Jwk]:
    found = files.read(path).get("keys")
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("kid"), str) for each in found
    ):
        raise FileUnusableError(detail=f"{path} is no JWK set.")
    if not found:  # which would trust whoever answers
        raise FileUnusableError(detail=f"{path} has no key.")
    return found
