"""The routes of all versions of all products, most specific first, and the upstreams they call."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from controlplane.gateway.renderers import (
    IDENTITY_HEADERS,
    KEY_HEADER,
    PARAMETER,
    Site,
    precedence,
    specificity,
)
from controlplane.gateway.renderers.envoy_resource import Message, typed
from domain.routing import Body
from domain.unserved import Unserved

NAME, ROUTE_CONFIGURATION = "gateway", "routes"
NOWHERE = "nowhere"
"""A cluster that no route leads to: without any, Envoy would be told that there are none."""
INTERNAL_HEADERS = tuple(
    f"x-gate-{said}" for said in ("digest", "shard", "token", "record", "limits", "caller")
)
"""By which the filters tell each other what they found."""
CALL_S = 60
CONNECT_S = 5
_PATH_CHARS = "/:@!$&'()*+,;=-._~%"
HTTPS_PORT, HTTP_PORT = 443, 80


class Upstream(NamedTuple):
    """Where calls of a version go."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Upstream":
        """Read an address that the domain let in."""
        parts = urlsplit(url)
        port = parts.port or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT)
        return cls(parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"))

    @property
    def server(self) -> tuple[str, str, int]:
        """What is connected to."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """What it is called in requests."""
        usual = HTTPS_PORT if self.scheme == "https" else HTTP_PORT
        return self._bracketed if self.port == usual else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def cluster(self, name: str, ca_file: str) -> Message:
        """Return a cluster of it; by https only if its certificate is for its name."""
        address = {"socket_address": {"address": self.host, "port_value": self.port}}
        secured: dict[str, Any] = {}
        if self.scheme == "https":
            secured["transport_socket"] = {
                "name": "tls",
                "typed_config": typed(
                    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    sni="" if self.is_address else self.host,
                    common_tls_context={"validation_context": self._trusted(ca_file)},
                ),
            }
        return {
            "name": name,
            "type": "STATIC" if self.is_address else "STRICT_DNS",
            "connect_timeout": f"{CONNECT_S}s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [
                    {
                        "lb_endpoints": [
                            {"endpoint": {"address": address, "hostname": self.authority}}
                        ]
                    }
                ],
            },
            **secured,
        }

    @property
    def is_address(self) -> bool:
        """Whether it needs no resolver."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    def _trusted(self, ca_file: str) -> Message:
        san = "IP_ADDRESS" if self.is_address else "DNS"
        return {
            "trusted_ca": {"filename": ca_file},
            "match_typed_subject_alt_names": [{"san_type": san, "matcher": {"exact": self.host}}],
        }


class Routing(NamedTuple):
    """The route configuration and the clusters, and versions that nobody reaches."""

    routes: Message
    clusters: list[Message]
    unserved: list[Unserved]


def routing(
    products: Mapping[str, Body], versions: Mapping[str, Body], environment: str, site: Site
) -> Routing:
    """Return how calls of an environment are routed."""
    routes: list[tuple[Any, Message]] = []
    clusters: dict[str, Message] = {}
    servers: dict[str, tuple[str, str, int]] = {}
    unserved = []
    for row in sorted(versions.values(), key=precedence, reverse=True):
        product, url = products.get(row["product"]), row["upstreams"].get(environment)
        if product is None:
            unserved.append(Unserved("version", row["id"], "Its product is not here."))
        elif url is not None:
            upstream = Upstream.of(url)
            # Named after what callers call: another in its place is taken without a gap.
            name = f"{product['slug']}/{row['base']}"
            if servers.setdefault(name, upstream.server) != upstream.server:
                name = f"{name}/{row['number']}"  # an older version, for what the newer has not
            clusters[name] = upstream.cluster(name, site.ca_file)
            said = list(_deprecation(row, product, products, versions))
            routes.extend(_routes(row, product, name, upstream.path, said))
    routes.sort(key=lambda each: each[0])  # which is stable: of two alike the newer version's
    host = {"name": NAME, "domains": ["*"], "routes": [route for _, route in routes]}
    return Routing(
        {
            "name": ROUTE_CONFIGURATION,
            "virtual_hosts": [host],
            "request_headers_to_remove": [KEY_HEADER, *INTERNAL_HEADERS],
        },
        [*(clusters[name] for name in sorted(clusters)), {"name": NOWHERE, "type": "STATIC"}],
        unserved,
    )


def _routes(
    row: Body, product: Body, cluster: str, prefix: str, said: list[Message]
) -> Iterator[tuple[Any, Message]]:
    base = f"/{product['slug']}/{row['base']}"
    for each in row["routes"]:
        path = each["path"]
        at_base = path in {"", "/"}
        pattern = f"{_pattern(base)}/?" if at_base else _pattern(base + path)
        is_plain = not (at_base or PARAMETER.search(path))
        by_path = {"path": _quoted(base + path)} if is_plain else {"safe_regex": {"regex": pattern}}
        behind = f"^{_pattern(base)}" + ("/?" if at_base else "")
        target = prefix or ("/" if at_base else "")
        message: dict[str, Any] = {
            "name": f"{product['id']} {row['id']} {each['id']}",
            "match": {
                **by_path,
                "headers": [{"name": ":method", "string_match": {"exact": each["method"]}}],
            },
            "route": {
                "cluster": cluster,
                "auto_host_rewrite": True,
                "timeout": f"{CALL_S}s",
                "regex_rewrite": {
                    "pattern": {"regex": behind},
                    "substitution": target.replace("\\", r"\\"),
                },
            },
        }
        if said:
            message["response_headers_to_add"] = said
        yield (specificity(path), base, path, each["method"]), message


def _pattern(template: str) -> str:
    """Return a template as an expression: a parameter is one segment, or a part of one."""
    literal = [re.escape(_quoted(each)) for each in PARAMETER.split(template)]
    return "[^/]+".join(literal)


def _quoted(path: str) -> str:
    return quote(path, safe=_PATH_CHARS)


def _deprecation(
    row: Body, product: Body, products: Mapping[str, Body], versions: Mapping[str, Body]
) -> Iterator[Message]:
    """Yield the headers by which callers learn that a version is advised against."""
    of = row if row["deprecation"] else product
    if not of["deprecation"]:
        return
    yield _header("Deprecation", f"@{int(datetime.fromisoformat(of['deprecation']).timestamp())}")
    sunset = row["sunset"] or product["sunset"]
    if sunset:
        at = datetime.fromisoformat(sunset).replace(microsecond=0)
        yield _header("Sunset", format_datetime(at, usegmt=True))
    links = []
    if row["link"]:
        links.append(f'<{row["link"]}>; rel="deprecation"')
    successor = versions.get(row["successor"] or "")
    if successor is not None and successor["product"] in products:
        slug = products[successor["product"]]["slug"]
        links.append(f'</{slug}/{successor["base"]}>; rel="successor-version"')
    if links:
        yield _header("Link", ", ".join(links))


def _header(name: str, value: str) -> Message:
    # Envoy reads a percent sign as the beginning of a command.
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},
        "append_action": "APPEND_IF_EXISTS_OR_ADD"
        if name == "Link"
        else "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def spoofable() -> Iterable[str]:
    """Return the headers by which the gateway says who calls; a client's own are dropped."""
    return (*IDENTITY_HEADERS, *INTERNAL_HEADERS)
