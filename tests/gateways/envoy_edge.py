"""An Envoy that reads what was sold from files, and is told when that changes."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controlplane.gateway.renderers import Memo, Site, envoy
from tests.gateways.real_envoy import Gateway, gateway, upstream
from tests.gateways.sold import Sold, limit

NAMES = itertools.count(1)
PETS = ["GET /pets", "POST /pets", "GET /pets/{id}", "GET /pets/mine", "GET /files/{name}.json"]


class Edge:
    """A running Envoy, and what it is to enforce."""

    def __init__(self, running: Gateway, sold: Sold, key_sets: Mapping[str, str]) -> None:
        self.running, self.sold = running, sold
        self.call = running.call
        self._memo = Memo()
        self._written: dict[str, bytes] = {}
        self.site = Site(
            str(running.directory),
            "127.0.0.1",
            running.port,
            running.admin_port,
            ca_file=str(running.directory / "ca.pem"),
            key_sets=key_sets,
        )

    def put(self) -> list[str]:
        """Render and write what changed; return which files."""
        rendered = envoy.render(self.sold.snapshot(), self.site, self._memo)
        envoy.validate(rendered)
        changed = {
            name: content
            for name, content in rendered.files.items()
            if self._written.get(name) != content
        }
        self.running.put(changed)
        self._written = rendered.files
        return sorted(changed)

    def subscribe(self, plan: str, **said: object) -> tuple[str, str]:
        """Subscribe somebody to a plan; return a key that works now and the subscription's id."""
        name = f"caller-{next(NAMES)}"
        subscription = self.sold.subscription(plan, name, name, **said)
        self.put()
        return name, subscription


@contextmanager
def serving(directory: Path, key_sets: Mapping[str, str] | None = None) -> Iterator[Edge]:
    """Yield one that serves the products pets and orders; `free` has pets without a limit."""
    sold = Sold()
    with upstream() as url, gateway(directory) as running:
        edge = Edge(running, sold, key_sets or {})
        pets, orders = sold.product("pets"), sold.product("orders")
        sold.version(pets, url, PETS)
        sold.version(pets, f"{url}/two", PETS, number="2.0.0")
        sold.version(orders, url, ["GET /orders"], api="admin")
        sold.plan("free", pets)
        sold.plan("five", pets, first=limit(5, 10))
        (running.directory / "ca.pem").touch()
        edge.put()
        running.put(envoy.bootstrap(edge.site))
        running.start()
        yield edge
