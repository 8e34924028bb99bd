"""Envoy: what a gateway must enforce as resources of xDS v3, fetched over REST or read from files.

A call passes these filters, of which only the first is fixed:

    tokens   verifies a JWT if a plan wants one (envoy_plans)
    digest   hashes the key of the call (envoy_digest.lua)
    keys     finds it among those that begin with the same digit (envoy_keys, envoy_find.lua)
    plans    decides: 401, 403, 429 beyond a quota, or whose call it is (envoy_decide.lua), and
             which fields it asks for, if the plan limits some of a GraphQL API (envoy_fields.lua)
    limits   counts it in the buckets of its subscription: 429 (envoy_plans)

The fetched ones change each for itself: a new key is one script of sixteen, and the buckets,
which are in `limits`, stay as full as they were.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from envoy.config.bootstrap.v3 import bootstrap_pb2  # noqa: F401  # imported for its descriptors
from envoy.config.listener.v3 import listener_pb2  # noqa: F401
from envoy.extensions.common.matching.v3 import extension_matcher_pb2  # noqa: F401
from envoy.extensions.filters.http.composite.v3 import composite_pb2  # noqa: F401
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2  # noqa: F401
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2  # noqa: F401
from envoy.extensions.filters.http.lua.v3 import lua_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (  # noqa: F401
    http_connection_manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import (  # noqa: F401
    header_mutation_pb2,
)
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from envoy.service.discovery.v3 import discovery_pb2
from envoy.type.matcher.v3 import http_inputs_pb2  # noqa: F401
from google.protobuf import json_format

from controlplane.gateway.renderers import (
    Memo,
    Rendered,
    RenderedInvalidError,
    Site,
)
from controlplane.gateway.renderers.envoy_keys import Keys
from controlplane.gateway.renderers.envoy_listener import bootstrap, listener, shard
from controlplane.gateway.renderers.envoy_plans import (
    apis_of,
    fields_limited,
    limits_filter,
    plans_filter,
    tokens_filter,
)
from controlplane.gateway.renderers.envoy_resource import (
    CLUSTERS,
    FILTERS,
    LISTENERS,
    ROUTES,
    Resources,
    lua_filter,
    resources,
)
from controlplane.gateway.renderers.envoy_routes import ROUTE_CONFIGURATION, routing
from domain.routing import Body, Document
from domain.unserved import Unserved, unserved

__all__ = [
    "START",
    "VENDOR",
    "Configuration",
    "bootstrap",
    "check",
    "listeners",
    "render",
    "validate",
]
VENDOR = "envoy"
START = "envoy -c {directory}/bootstrap.json"


@dataclass(frozen=True)
class Configuration(Rendered):
    """What is rendered for Envoy, also as the resources it fetches, by word and name."""

    resources: dict[tuple[str, str], Resources]


class _Made:
    """What was made of the last snapshot, to be used again if the rows are the same objects."""

    def __init__(self) -> None:
        self.keys = Keys()
        self.shards: dict[str, tuple[str, Resources]] = {}
        self.inputs: tuple[Site, list[Body]] | None = None
        self.catalogue: list[Resources] = []
        self.unserved: list[Unserved] = []


def render(snapshot: Document, site: Site, memo: Memo) -> Configuration:
    """Return what an Envoy at a site must run to enforce a snapshot.

    Raises RenderedInvalidError when there is nothing to enforce and that is not said to be right.
    """
    if not (snapshot["products"] or snapshot["intentionally_empty"]):
        raise RenderedInvalidError("There is nothing in it.")
    memo.begin()
    made = memo.lasting(VENDOR, _Made)
    plans = {row["id"]: row for row in snapshot["plans"]}
    rows = [*snapshot["products"], *snapshot["versions"], *snapshot["plans"], snapshot["group"]]
    changed = memo.changed
    if made.inputs != (site, rows):  # which looks into no row that is the same object
        made.catalogue, made.unserved = _catalogue(snapshot, plans, site)
        made.inputs, changed = (site, rows), None
    made.keys.update(snapshot["subscriptions"], plans, changed)
    for digit, script in made.keys.scripts().items():
        if digit not in made.shards or made.shards[digit][0] is not script:
            name = shard(digit)
            made.shards[digit] = script, resources(FILTERS, name, [lua_filter(name, script)])
    every = [*made.catalogue, *(each for _, each in made.shards.values())]
    return Configuration(
        files={each.file: each.content for each in every},
        unserved=(*made.unserved, *made.keys.unserved),
        resources={(each.kind.word, each.name): each for each in every},
    )


def _catalogue(
    snapshot: Document, plans: dict[str, Body], site: Site
) -> tuple[list[Resources], list[Unserved]]:
    """Return what does not depend on who subscribed."""
    products = {row["id"]: row for row in snapshot["products"]}
    versions = {row["id"]: row for row in snapshot["versions"]}
    routed = routing(products, versions, snapshot["group"]["environment"], site)
    tokens, refused = tokens_filter(plans, site)
    apis = apis_of(versions)
    fields = fields_limited(plans, versions, apis)
    filters = [tokens, plans_filter(plans, fields, apis), limits_filter(plans, fields)]
    made = [
        listeners(site),
        resources(CLUSTERS, "", routed.clusters),
        resources(ROUTES, ROUTE_CONFIGURATION, [routed.routes]),
        *(resources(FILTERS, each["name"], [each]) for each in filters),
    ]
    nowhere = unserved(snapshot["group"]["environment"], versions.values(), plans.values())
    return made, [*nowhere, *routed.unserved, *refused]


def listeners(site: Site) -> Resources:
    """Return the listener of a site, which is the same whatever is sold."""
    return resources(LISTENERS, "", [listener(site)])


def validate(rendered: Rendered) -> None:
    """Have every file read as Envoy reads it, but refuse what is unknown to it.

    Raises RenderedInvalidError.
    """
    for name, content in rendered.files.items():
        check(name, orjson.loads(content))


def check(name: str, response: dict[str, Any]) -> None:
    """Have a discovery response read by Envoy's own descriptors. Raises RenderedInvalidError."""
    names = [each.get("name") for each in response["resources"]]
    if not names or len(set(names)) < len(names):
        raise RenderedInvalidError(f"{name} has no resource, or two of one name.")
    try:
        json_format.ParseDict(response, discovery_pb2.DiscoveryResponse())
    except json_format.ParseError as error:
        raise RenderedInvalidError(f"{name}: {error}") from None
