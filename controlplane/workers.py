"""Several processes on one listening socket: a parent that replaces the dead, and its workers.

A worker dies with its parent however that ends: it stops when its standard input, a pipe that
only the parent holds, comes to its end.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from controlplane.metrics import FILES, WORKER
from controlplane.settings import Settings

READY = b"ready\n"
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STEADY_S = 10.0
"""A worker that lived this long is replaced without a longer pause than the one before."""
LEAVE_S = 15.0

log = structlog.get_logger()


class WorkerFailedError(Exception):
    """A worker ended before it was ready; its log above says why."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Workers:
    """The workers of one socket."""

    def __init__(self, settings: Settings, dsn: str, bound: socket.socket, files: str) -> None:
        self._settings = settings
        self._bound = bound
        self._environment = {
            **os.environ,
            **settings.environment(),
            "CONTROLPLANE_DATABASE_URL": dsn,
            FILES: files,
        }
        self._alive: dict[int, asyncio.subprocess.Process] = {}

    async def start(self, number: int) -> asyncio.subprocess.Process:
        """Start a worker and wait until it is ready. Raises WorkerFailedError."""
        fd = self._bound.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controlplane.workers", str(fd)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(fd,),
            env={**self._environment, WORKER: str(number)},
            start_new_session=True,  # Ctrl-C reaches the parent only, which then tells us
        )
        self._alive[number] = process
        assert process.stdout is not None
        if await process.stdout.readline() != READY:
            await process.wait()
            raise WorkerFailedError
        return process

    async def replace(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Start a worker's successor whenever it ends, until cancelled."""
        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        while True:
            began = loop.time()
            code = await process.wait()
            log.warning("worker.died", worker=number, code=code)
            pause_s = FIRST_PAUSE_S if loop.time() - began > STEADY_S else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                process = await self.start(number)
            except (WorkerFailedError, OSError) as error:  # no memory, no process left: later
                log.error("worker.not_started", worker=number, error=str(error))  # noqa: TRY400

    async def stop(self) -> None:
        """Tell every worker to stop, and end those that take too long."""
        workers = [worker for worker in self._alive.values() if worker.returncode is None]
        for worker in workers:
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)
        ends = [asyncio.create_task(worker.wait()) for worker in workers]
        if ends:
            await asyncio.wait(ends, timeout=self._settings.shutdown_s + LEAVE_S)
        for worker in workers:
            if worker.returncode is None:
                worker.kill()


@asynccontextmanager
async def working(settings: Settings, dsn: str, bound: socket.socket) -> AsyncIterator[None]:
    """Have `settings.workers` processes serve until the block ends; all are ready when it begins.

    Raises WorkerFailedError.
    """
    with tempfile.TemporaryDirectory(prefix="controlplane-metrics-") as files:
        workers = Workers(settings, dsn, bound, files)
        replacing: list[asyncio.Task[None]] = []
        try:
            numbers = range(settings.workers)
            started = await asyncio.gather(*map(workers.start, numbers))
            for number, worker in zip(numbers, started, strict=True):
                replacing.append(asyncio.create_task(workers.replace(number, worker)))
            yield
        finally:
            for task in replacing:
                task.cancel()
            await workers.stop()


async def work(bound: socket.socket) -> None:
    """Serve on a socket of the parent's until it says stop or is gone."""
    from controlplane import server  # noqa: PLC0415  # the parent has no use for the surfaces
    from controlplane.app import running  # noqa: PLC0415

    settings = Settings()
    stop = server.stop_signal(settings)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), partial(_orphaned, loop, stop))
    async with running(settings.database_url, settings) as app, server.listening(app, bound):
        await server.caught_up(app, stop)
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        await server.until_over(app, stop)
        loop.call_later(settings.shutdown_s + server.LEAVE_S, os._exit, 1)


def _orphaned(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.remove_reader(sys.stdin.fileno())
    if not stop.is_set():
        log.warning("worker.orphaned")
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run one worker on the socket whose number is the argument."""
    from controlplane import logs, loop  # noqa: PLC0415

    logs.configure(Settings().log_level)
    with socket.socket(fileno=int(sys.argv[1])) as bound:
        loop.run(work(bound))


if __name__ == "__main__":
    main()
