"""Control plane and PostgreSQL are killed while keys are pushed to a real Envoy and HAProxy."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controlplane.store.embedded import ensure
from tests.faults.gateways import (
    BOUND_S,
    PAUSE_S,
    Callers,
    Key,
    Portal,
    calls,
    envoy_gateway,
    haproxy_gateway,
    sold,
)
from tests.gateways.world import free_port, upstream
from tests.processes import Served, postmaster_of, serving

ROUNDS = 2
ROUND_S = 0.7


@dataclass
class Plane:
    """A control plane that can be killed and started again, on its own PostgreSQL."""

    folder: Path
    data_dir: Path
    port: int = field(default_factory=free_port)
    starts: int = 0
    process: ExitStack = field(default_factory=ExitStack)
    served: Served | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.starts += 1
        self.served = self.process.enter_context(
            serving(
                self.folder / f"log-{self.starts}",
                CONTROLPLANE_DATA_DIR=str(self.data_dir),
                CONTROLPLANE_PORT=str(self.port),
            )
        )

    def kill(self) -> None:
        """Have it die without a word."""
        self.process.close()

    def kill_database(self) -> None:
        os.kill(postmaster_of(self.data_dir), signal.SIGKILL)


@pytest.fixture
def plane(tmp_path: Path, data_dir: Path) -> Iterator[Plane]:
    found = Plane(tmp_path, data_dir)
    yield found
    found.kill()


async def push(portal: Portal, callers: Callers, revoked: list[Key]) -> None:
    """Issue and revoke keys without an end."""
    while True:
        revoked.append(await portal.issue())
        await portal.revoke(revoked[-1])
        callers.refuse(revoked[-1])
        await asyncio.sleep(0.05)


async def kill_control_plane(plane: Plane) -> None:
    plane.kill()
    await asyncio.sleep(ROUND_S)  # and everybody is served meanwhile
    await asyncio.to_thread(plane.start)


async def kill_postgresql(plane: Plane) -> None:
    os.kill(postmaster_of(plane.data_dir), signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_control_plane, kill_postgresql])
async def test_what_is_revoked_is_refused_and_what_is_valid_is_not_whatever_is_killed(
    plane: Plane, tmp_path: Path, kill: Callable[[Plane], Awaitable[None]]
) -> None:
    lease = await asyncio.to_thread(ensure, plane.data_dir)
    async with upstream() as url:
        shop = await sold(lease.dsn, url, gateways=2)
        await asyncio.to_thread(plane.start)
        async with (
            envoy_gateway(tmp_path / "envoy", plane.url, shop.gateways[0]) as one,
            haproxy_gateway(tmp_path / "haproxy", plane.url, shop.gateways[1]) as two,
            calls(one, two) as callers,
        ):
            portal, revoked = shop.portal(callers.http, plane.url), list[Key]()
            valid = await portal.issue()
            async with callers.calling(valid.secret), asyncio.TaskGroup() as tasks:
                pushing = tasks.create_task(push(portal, callers, revoked))
                for _ in range(ROUNDS):
                    await asyncio.sleep(ROUND_S)
                    callers.lose()
                    await kill(plane)
                    await portal.issue()  # asked until it is answered
                    callers.regain()
                pushing.cancel()
                await asyncio.sleep(PAUSE_S + 2 * BOUND_S)  # everything is due
    lease.close()
    assert callers.wrong == []
    assert len(revoked) > ROUNDS
    assert callers.calls > 20 * len(revoked)
