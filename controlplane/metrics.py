"""What Prometheus is told: every label has a bounded set of values.

With several workers each writes its values to a file in PROMETHEUS_MULTIPROC_DIR, and whichever
is asked adds them up. A worker that takes the place of a dead one goes on with its file, so there
are never more files than workers.
"""

import asyncio
import os
from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

FILES = "PROMETHEUS_MULTIPROC_DIR"
WORKER = "CONTROLPLANE_WORKER"
PULSE_S = 1.0

if FILES in os.environ and WORKER in os.environ:  # before the first metric is made
    # The package left these two untyped.
    values.ValueClass = values.MultiProcessValue(lambda: os.environ[WORKER])  # type: ignore[no-untyped-call]

REQUEST_S = Histogram(
    "controlplane_request_duration_seconds",
    "How long requests took, long polls included.",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
COMMIT_COMMANDS = Histogram(
    "controlplane_commit_commands",
    "Commands appended by one group commit; the sum is all commands, the count all commits.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
LOOP_LAG_S = Histogram(
    "controlplane_event_loop_lag_seconds",
    "How much too late the event loop ran a timer, sampled once a second.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PROJECTED = Gauge(
    "controlplane_projector_position",
    "The position that all read models have reached.",
    multiprocess_mode="livemostrecent",
)
HEAD = Gauge(
    "controlplane_store_position",
    "The position of the last event.",
    multiprocess_mode="livemostrecent",
)
LAG = Gauge(
    "controlplane_projector_lag_events",
    "Events that the read models do not show yet.",
    multiprocess_mode="livemostrecent",
)


async def pulse(position: Callable[[], int]) -> None:
    """Sample the event loop, and the position of this process, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PULSE_S
        await asyncio.sleep(PULSE_S)
        LOOP_LAG_S.observe(max(0.0, loop.time() - due))
        PROJECTED.set(position())


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all workers and their content type."""
    if FILES not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
