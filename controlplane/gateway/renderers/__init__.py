"""Renderers: what one vendor's gateway must be told, made of the neutral configuration.

A renderer is one module here and one word in RENDERERS. It is pure: a snapshot as domain.routing
describes it and a `Site` go in, files come out; it neither reads nor writes nor looks at the clock.
It never guesses. A row that is missing grants nothing, and what the vendor cannot enforce is told
as `Unserved` and refused by what is rendered, never left open.

The module is the `Renderer`: `VENDOR` and `START` are words of it, `render`, `bootstrap` and
`validate` its functions. A vendor may return a subclass of `Rendered` that has more
than files, as Envoy's has resources.
tests/gateways/golden has the cases that every renderer must do, each with what is expected of it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import Any, Protocol, TypeVar

from semver import Version

from domain.aggregate import DomainError
from domain.routing import Body, Document
from domain.unserved import Unserved

RENDERERS: tuple[str, ...] = ("envoy", "haproxy")
"""The vendors, each the name of a module here that is imported when it is used."""

KEY_HEADER = "x-api-key"
"""Where a call has its key; it is taken out before the upstream sees it."""
SUBSCRIPTION_HEADER = "x-subscription-id"
APPLICATION_HEADER = "x-application-id"
PLAN_HEADER = "x-plan-id"
IDENTITY_HEADERS = (SUBSCRIPTION_HEADER, APPLICATION_HEADER, PLAN_HEADER)
"""Who calls, as the upstream is told; those that a client sends are dropped."""

PARAMETER = re.compile(r"\{[^{}/]*\}")
"""A parameter in the template of a path: one segment, or a part of one."""

Fragment = TypeVar("Fragment")


def specificity(path: str) -> tuple[tuple[int, int], ...]:
    """Return what sorts the more specific of two templates that match one path first."""

    def vague(segment: str) -> tuple[int, int]:
        literal = PARAMETER.sub("", segment)
        return (0, 0) if literal == segment else (1, -len(literal))

    return tuple(vague(segment) for segment in path.split("/"))


def graphql_fields(version: Body, versions: Iterable[Body]) -> set[str]:
    """Return the fields of a version's GraphQL API in any version: one server may answer all."""
    if version["kind"] != "GRAPHQL":
        return set()
    api = (version["product"], version["api"])
    routes = (row["routes"] for row in versions if (row["product"], row["api"]) == api)
    return {name for route in chain.from_iterable(routes) for name in route.get("fields", ())}


def limited_fields(plan: Body, product: str, fields: set[str]) -> list[tuple[int, Body]]:
    """Return which overrides of a plan limit one of these fields of a product, with their place.

    What no such override limits, the one of the API's route does, and then the plan.
    """
    return [
        (nth, each)
        for nth, each in enumerate(plan["overrides"])
        if each["rate_limit"] and each["product"] == product and each["operation"] in fields
    ]


def alike(header: str) -> str:
    """Return an expression for a header, and for what an upstream may take for it (CGI does)."""
    return header.replace("-", "[-_]")


def precedence(version: Body) -> tuple[Version, str]:
    """Return what sorts the newest of some versions last, as semver.org has it."""
    return Version.parse(version["number"]), version["id"]


class RenderedInvalidError(DomainError):
    """The gateway would not take what was rendered; nothing of it is served."""

    def __init__(self, reason: str) -> None:
        """Say what the vendor's own check said."""
        super().__init__("rendered", reason)
        self.reason = reason


@dataclass(frozen=True)
class Site:
    """Where a gateway runs: what it needs to know and the neutral configuration does not say."""

    directory: str
    """Absolute path in which the gateway finds what is rendered."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 8000
    admin_port: int = 0
    """Of the gateway's own administration on the loopback address; 0 for none."""
    control_plane: str = "http://127.0.0.1:8080"
    token_file: str = ""
    """Absolute path of the gateway's token, for one that polls by itself."""
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    """Whom the gateway trusts to be an upstream that is called by https."""
    key_sets: Mapping[str, str] = field(default_factory=dict)
    """The JWK set (JSON) of each issuer whose tokens are accepted; others' are refused."""


@dataclass(frozen=True)
class Rendered:
    """Files by their name within the site's directory, and what they do not serve."""

    files: dict[str, bytes]
    unserved: tuple[Unserved, ...]


class Memo:
    """Fragments that were rendered, each made again only if a row of it is another object.

    Rows that did not change stay the same objects when a delta is applied, so a change of one
    subscription in 100,000 encodes one. What a rendering did not ask for is forgotten after the
    next, so that rows that are gone do not stay.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._former: dict[tuple[str, str], tuple[tuple[Body, ...], Any]] = {}
        self._kept: dict[tuple[str, str], tuple[tuple[Body, ...], Any]] = {}
        self._lasting: dict[str, Any] = {}
        self.changed: Mapping[str, Body | None] | None = None
        """Which subscriptions are others than at the last rendering, None for those that are gone;
        None if that is not known. Who knows it says so before each rendering."""

    def begin(self) -> None:
        """Begin a rendering; each renderer calls it once."""
        self._former, self._kept = self._kept, {}

    def of(self, name: str, make: Callable[..., Fragment], *rows: Body) -> Fragment:
        """Return `make(*rows)`, kept under a name and the id of the first row."""
        key = (name, rows[0]["id"])
        kept = self._former.get(key)
        if kept is None or len(kept[0]) != len(rows) or any(map(_differ, kept[0], rows)):
            kept = (rows, make(*rows))
        self._kept[key] = kept
        fragment: Fragment = kept[1]
        return fragment

    def lasting(self, name: str, make: Callable[[], Fragment]) -> Fragment:
        """Return what a vendor keeps under a name from one rendering to the next, made once."""
        if name not in self._lasting:
            self._lasting[name] = make()
        kept: Fragment = self._lasting[name]
        return kept


def _differ(one: Body, other: Body) -> bool:
    return one is not other


class Renderer(Protocol):
    """What the module of a vendor offers."""

    VENDOR: str
    START: str
    """How the gateway is started, with `{directory}` for where its files are."""

    def render(self, snapshot: Document, site: Site, memo: Memo) -> Rendered:
        """Return what a gateway at a site must run to enforce a snapshot."""

    def bootstrap(self, site: Site) -> dict[str, bytes]:
        """Return the files to start a gateway with, which refuse everything until it is told."""

    def validate(self, rendered: Rendered) -> None:
        """Have the files checked, without a gateway. Raises RenderedInvalidError."""


def renderer(vendor: str) -> Renderer:
    """Return the renderer of a vendor in RENDERERS."""
    assert vendor in RENDERERS
    found: Renderer = import_module(f"{__name__}.{vendor}")
    return found
