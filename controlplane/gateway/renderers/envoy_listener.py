"""What is the same for every configuration: the listener with its filters, and the bootstrap."""

from collections.abc import Callable, Iterator

import orjson

from controlplane.gateway.renderers import Site, alike
from controlplane.gateway.renderers.envoy_keys import SHARDS, script
from controlplane.gateway.renderers.envoy_plans import LIMITS, PLANS, TOKENS
from controlplane.gateway.renderers.envoy_resource import (
    CONTROL_PLANE,
    LUA,
    Message,
    lua_filter,
    source_of,
    typed,
)
from controlplane.gateway.renderers.envoy_routes import (
    CONNECT_S,
    NAME,
    ROUTE_CONFIGURATION,
    Upstream,
    spoofable,
)
from controlplane.gateway.renderers.problems import (
    BY_THEMSELVES,
    CONTENT_TYPE,
    NO_OPERATION,
    RATE_LIMITED,
    TOO_LARGE,
)

HTTP = "envoy.extensions.filters.http."
HEAD_S = 10
HELD_BYTES = 256 * 1024
"""So much of a body may be held, if its fields are read, of each stream of HTTP/2: not 16 MiB."""
MATCHER = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
_FILTER_TYPES = {
    TOKENS: f"{HTTP}jwt_authn.v3.JwtAuthentication",
    PLANS: LUA,
    LIMITS: f"{HTTP}local_ratelimit.v3.LocalRateLimit",
}


def listener(site: Site) -> Message:
    """Return the listener: nothing in it changes when something is sold, so nothing drains.

    Its filters are fetched one by one. One that never came refuses every call.
    """
    source = source_of(site)
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=NAME,
        rds={"route_config_name": ROUTE_CONFIGURATION, "config_source": source("routes.json")},
        http_filters=[
            _fetched(TOKENS, source),
            lua_filter("digest", script("digest")),
            _shards(source),
            _fetched(PLANS, source),
            _fetched(LIMITS, source),
            {
                "name": "router",
                "typed_config": typed(f"{HTTP}router.v3.Router", suppress_envoy_headers=True),
            },
        ],
        early_header_mutation_extensions=[_drop_spoofed()],
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        # A slash that only the upstream would see could lead to another operation there.
        path_with_escaped_slashes_action="REJECT_REQUEST",
        local_reply_config={"mappers": list(_problems())},
        request_headers_timeout=f"{HEAD_S}s",
        http2_protocol_options={"initial_stream_window_size": HELD_BYTES},
        server_header_transformation="PASS_THROUGH",
    )
    return {
        "name": NAME,
        "address": _address(site.listen_host, site.listen_port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _problems() -> Iterator[Message]:
    """Yield what scripts say, as they say it, and Envoy itself in the words of every gateway."""
    refused = {"filter": "gate", "path": [{"key": "refused"}], "value": {"bool_match": True}}
    yield _answer(
        {"metadata_filter": {"matcher": refused, "match_if_key_not_found": False}},
        "%LOCAL_REPLY_BODY%",
    )
    for each in (NO_OPERATION, TOO_LARGE, RATE_LIMITED, *BY_THEMSELVES):
        yield _answer(_status(each.status), each.body)


def _status(status: int) -> Message:
    value = {"default_value": status, "runtime_key": f"status_{status}"}
    return {"status_code_filter": {"comparison": {"value": value}}}


def _answer(when: Message, text: str) -> Message:
    body = {"text_format_source": {"inline_string": text}, "content_type": CONTENT_TYPE}
    return {"filter": when, "body_format_override": body}


def _address(host: str, port: int) -> Message:
    return {"socket_address": {"address": host, "port_value": port}}


def _fetched(name: str, source: Callable[[str], Message]) -> Message:
    return {"name": name, "config_discovery": _discovery(name, _FILTER_TYPES[name], source)}


def _discovery(name: str, message: str, source: Callable[[str], Message]) -> Message:
    return {
        "config_source": source(f"{name}.json"),
        "type_urls": [f"type.googleapis.com/{message}"],
    }


def _shards(source: Callable[[str], Message]) -> Message:
    """Return the filter that has one of the scripts with keys run."""

    def run(digit: str) -> Message:
        name = shard(digit)
        dynamic = {"name": name, "config_discovery": _discovery(name, LUA, source)}
        execute = typed(f"{HTTP}composite.v3.ExecuteFilterAction", dynamic_config=dynamic)
        return {"action": {"name": "composite-action", "typed_config": execute}}

    header = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name="x-gate-shard")
    return {
        "name": "keys",
        "typed_config": typed(
            MATCHER,
            extension_config={
                "name": "composite",
                "typed_config": typed(f"{HTTP}composite.v3.Composite"),
            },
            xds_matcher={
                "matcher_tree": {
                    "input": {"name": "shard", "typed_config": header},
                    "exact_match_map": {"map": {digit: run(digit) for digit in SHARDS}},
                }
            },
        ),
    }


def shard(digit: str) -> str:
    """Return the name of the script of a digit."""
    return f"keys-{digit}"


def _drop_spoofed() -> Message:
    return {
        "name": "spoofed",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            mutations=[
                {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": alike(name)}}}}
                for name in spoofable()
            ],
        ),
    }


def bootstrap(site: Site) -> dict[str, bytes]:
    """Return the file to start Envoy with: `envoy -c bootstrap.json`.

    With a token file, which must end without a line end, it asks the control plane for everything
    else. Without one it reads what the agent writes into the directory, which must be there first.
    """
    source = source_of(site)
    begun: dict[str, object] = {
        "node": {
            "id": "gateway",
            "cluster": NAME,
            # The control plane makes the listener of it.
            "metadata": {"listen": f"{site.listen_host} {site.listen_port}"},
        },
        "dynamic_resources": {
            "lds_config": source("listeners.json"),
            "cds_config": source("clusters.json"),
        },
    }
    if site.admin_port:
        begun["admin"] = {"address": _address("127.0.0.1", site.admin_port)}
    if site.token_file:
        begun["static_resources"] = {
            "secrets": [
                {"name": "token", "generic_secret": {"secret": {"filename": site.token_file}}}
            ],
            "clusters": [_control_plane(site)],
        }
    return {"bootstrap.json": orjson.dumps(begun, option=orjson.OPT_INDENT_2)}


def _control_plane(site: Site) -> Message:
    """Return the cluster of the control plane; each request to it carries the gateway's token."""
    upstream = Upstream.of(site.control_plane)
    credential = typed(
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        credential={"name": "token"},
        header="Authorization",
        header_value_prefix="Bearer ",
    )
    inject = {
        "name": "token",
        "typed_config": typed(
            f"{HTTP}credential_injector.v3.CredentialInjector",
            overwrite=True,
            credential={"name": "generic", "typed_config": credential},
        ),
    }
    codec = {
        "name": "codec",
        "typed_config": typed(f"{HTTP}upstream_codec.v3.UpstreamCodec"),
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        **upstream.cluster(CONTROL_PLANE, site.ca_file),
        "connect_timeout": f"{CONNECT_S}s",
        "typed_extension_protocol_options": {
            options: typed(
                options,
                explicit_http_config={"http_protocol_options": {}},
                http_filters=[inject, codec],
            )
        },
    }
