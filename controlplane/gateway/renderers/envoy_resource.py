"""What Envoy fetches one by one: resources of xDS v3 as JSON, each set with a version of its own.

A set is the body of a discovery response, and also the file that `path_config_source` reads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias

import orjson

from controlplane.gateway.renderers import Site

Message: TypeAlias = Mapping[str, Any]
"""A protocol buffer in the JSON that Envoy reads."""
TYPES = "type.googleapis.com/"
LUA = "envoy.extensions.filters.http.lua.v3.Lua"
POLL_S, HELD_S = 0.1, 30
"""How soon Envoy asks again, and how long it waits for an answer that is held."""
NONCE = b"nonce"
"""In what stands before all else in a filter, and means nothing to it."""
CONTROL_PLANE = "control-plane"
"""The cluster by which Envoy reaches the control plane."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource: by which word its path ends, and which message it is."""

    word: str
    message: str


LISTENERS = Kind("listeners", "envoy.config.listener.v3.Listener")
CLUSTERS = Kind("clusters", "envoy.config.cluster.v3.Cluster")
ROUTES = Kind("routes", "envoy.config.route.v3.RouteConfiguration")
FILTERS = Kind("extension_configs", "envoy.config.core.v3.TypedExtensionConfig")
KINDS = {kind.word: kind for kind in (LISTENERS, CLUSTERS, ROUTES, FILTERS)}


@dataclass(frozen=True)
class Resources:
    """All resources of a kind, or the one by its name, with the version that is their hash."""

    kind: Kind
    name: str
    """"" for all of the kind."""
    version: str
    listed: bytes
    """The JSON list of the resources."""

    def response(self, version: str) -> bytes:
        """Return the discovery response under a version."""
        head = orjson.dumps({"version_info": version, "type_url": TYPES + self.kind.message})
        return b'%b,"resources":%b}' % (head[:-1], self.listed)

    def sent(self, version: str, nonce: str) -> bytes:
        """Return the response to a poll, each time another content of a filter.

        A filter that Envoy refused, and is sent again just so, it does not look at and says to run.
        """
        response = self.response(version)
        return response.replace(NONCE, nonce.encode(), 1) if self.kind is FILTERS else response

    @property
    def file(self) -> str:
        """The name of the file that holds them."""
        return f"{self.name or self.kind.word}.json"

    @cached_property
    def content(self) -> bytes:
        """What is in that file."""
        return self.response(self.version)


def resources(kind: Kind, name: str, messages: Sequence[Message]) -> Resources:
    """Return messages as resources of a kind."""
    typed = [{"@type": TYPES + kind.message, **each} for each in messages]
    listed = orjson.dumps(typed)
    return Resources(kind, name, sha256(listed).hexdigest()[:32], listed)


def typed(message: str, **fields: object) -> Message:
    """Return a message that says which one it is."""
    return {"@type": TYPES + message, **fields}


def lua_filter(name: str, source: str) -> Message:
    """Return the configuration of a filter that runs a script."""
    script = f"-- nonce\n{source}"
    return {"name": name, "typed_config": typed(LUA, default_source_code={"inline_string": script})}


def source_of(site: Site) -> Callable[[str], Message]:
    """Return how a gateway at a site gets a file: it polls if it has a token, or reads it."""

    def source(file: str) -> Message:
        return {"resource_api_version": "V3", **_from(site, file)}

    return source


def _from(site: Site, file: str) -> Message:
    if not site.token_file:
        return {"path_config_source": {"path": f"{site.directory}/{file}"}}
    return {
        "api_config_source": {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": [CONTROL_PLANE],
            "refresh_delay": f"{POLL_S}s",
            "request_timeout": f"{HELD_S}s",
        }
    }
