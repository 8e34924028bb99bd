"""Serves the demo beside a probe of the event loop: `python -m tests.probed DSN`.

The first line of output tells where and with which tokens. Each line of input is answered by the
figures since the one before, in milliseconds: `late` is how long the probe had to wait at most,
`busy` how much of that this process computed, which is what it has to answer for. The end of the
input ends it.
"""

import asyncio
import sys
import time
from contextlib import suppress
from threading import Thread

import orjson

from controlplane import logs, loop, openapi, server
from controlplane.address import bind, url_of
from controlplane.app import running
from controlplane.demo.filling import fill
from controlplane.demo.sold import Own
from controlplane.graphql.schema import sdl
from controlplane.settings import Settings

PAUSE_S = 0.002


class Probe:
    """The longest that the event loop did not look at its timers."""

    def __init__(self) -> None:
        self.late_s = 0.0
        self.busy_s = 0.0

    async def watch(self) -> None:
        clock, cpu = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(PAUSE_S)
            now, used = time.perf_counter(), time.thread_time()
            self.late_s = max(self.late_s, now - clock - PAUSE_S)
            self.busy_s = max(self.busy_s, used - cpu)
            clock, cpu = now, used

    def take(self) -> dict[str, float]:
        figures = {"late": round(self.late_s * 1e3, 1), "busy": round(self.busy_s * 1e3, 1)}
        self.late_s = self.busy_s = 0.0
        return figures


async def serve(dsn: str) -> None:
    settings = Settings(host="127.0.0.1", port=0, graphiql=False)
    with bind(settings.host, settings.port) as bound:
        async with running(dsn, settings) as app:
            url = url_of(bound)
            tokens = await fill(app, Own(url, sdl(), openapi.document()))
            async with server.listening(app, bound):
                await server.caught_up(app, asyncio.Event())
                probe, ended = Probe(), asyncio.Event()
                watching = asyncio.create_task(probe.watch())
                tell({"url": url, "tokens": tokens})
                running_loop = asyncio.get_running_loop()

                def listen() -> None:
                    for _ in sys.stdin:
                        running_loop.call_soon_threadsafe(lambda: tell(probe.take()))
                    running_loop.call_soon_threadsafe(ended.set)

                Thread(target=listen, daemon=True).start()
                await ended.wait()
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching


def tell(said: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    logs.configure("info")
    loop.run(serve(sys.argv[1]))
