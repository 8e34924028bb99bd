"""A HAProxy that is told what was sold as the agent tells it."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controlplane.gateway.agent import files
from controlplane.gateway.agent.haproxy import HAProxy
from controlplane.gateway.agent.held import Held
from controlplane.gateway.renderers import Site, renderer
from domain.config_document import content_hash
from domain.unserved import Unserved
from tests.gateways.real_envoy import Answer, call, free_port, upstream
from tests.gateways.sold import Sold, limit
from tests.gateways.world import haproxy

NAMES = itertools.count(1)
PETS = ["GET /pets", "POST /pets", "GET /pets/{id}", "GET /pets/mine", "GET /files/{name}.json"]


class Edge:
    """A running HAProxy, and what it is to enforce."""

    def __init__(self, site: Site, sold: Sold, url: str) -> None:
        self.site, self.sold, self.url = site, sold, url
        self.driver = HAProxy(site)
        self.held: Held | None = None

    def put(self) -> tuple[Unserved, ...]:
        """Have it run what is sold now."""
        document: dict[str, Any] = {**self.sold.snapshot(), "cursor": f"1.{next(NAMES)}"}
        held = Held({**document, "content_hash": content_hash(document)})
        changes = self.held.changes_to(held) if self.held else None
        self.held = held
        return asyncio.run(self.driver.enforce(held, changes))

    def subscribe(self, plan: str, **said: object) -> tuple[str, str]:
        """Subscribe somebody to a plan; return a key that works now and the subscription's id."""
        name = f"caller-{next(NAMES)}"
        subscription = self.sold.subscription(plan, name, name, **said)
        self.put()
        return name, subscription

    def call(
        self, path: str, key: str = "", method: str = "GET", source: str = "", **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["x-api-key"] = key
        return call(self.site.listen_port, path, method, named, source)

    def status(self, path: str, key: str = "", method: str = "GET") -> int:
        return self.call(path, key, method).status

    def until(self, status: int, path: str, key: str = "", patience_s: float = 10) -> None:
        deadline = time.monotonic() + patience_s
        while self.status(path, key) != status:
            assert time.monotonic() < deadline


@contextmanager
def serving(directory: Path, **site: Any) -> Iterator[Edge]:
    """Yield one that serves the products pets and orders; `free` has pets without a limit."""
    sold = Sold()
    where = Site(str(directory), listen_port=free_port(), **site)
    files.write_all(directory, renderer("haproxy").bootstrap(where))
    with upstream() as url, haproxy(where):
        edge = Edge(where, sold, url)
        pets, orders = sold.product("pets"), sold.product("orders")
        sold.version(pets, url, PETS)
        sold.version(pets, f"{url}/two", PETS, number="2.0.0")
        sold.version(orders, url, ["GET /orders"], api="admin")
        sold.plan("free", pets)
        sold.plan("five", pets, first=limit(5, 10))
        assert edge.status("/pets/v1/pets") == 404
        edge.put()
        yield edge
