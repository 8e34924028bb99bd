"""An Envoy that answers with what its script reads in a request; what graphql-core reads."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from controlplane.gateway.renderers.envoy_keys import script
from controlplane.gateway.renderers.envoy_plans import BODY_BYTES, DOCUMENT_BYTES
from controlplane.gateway.renderers.envoy_resource import lua_filter, typed
from tests.gateways.real_envoy import gateway

HTTP = "envoy.extensions.filters."
JSON = {"content-type": "application/json"}
TELL = """
function envoy_on_request(handle)
  local counts, problem = asked_for(handle)
  local said = {}
  for field, calls in pairs(counts or {}) do
    said[#said + 1] = string.format('"%s":%d', field, calls)
  end
  handle:respond({[":status"] = counts and "200" or "400"},
    counts and "{" .. table.concat(said, ",") .. "}" or problem)
end
"""


class Reader:
    """Asks the script what it reads; a problem is a text, what it read the calls by field."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def request(self, body: str | bytes, path: str = "/", **headers: str) -> dict[str, int] | str:
        sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        text = body.encode() if isinstance(body, str) else body
        self._connection.request("POST", path, text, sent)
        answer = self._connection.getresponse()
        said = answer.read().decode()
        assert answer.status in {200, 400}, said
        if answer.status != 200:
            return said
        found: dict[str, int] = json.loads(said)
        return found

    def document(self, document: str, name: str | None = None) -> dict[str, int] | str:
        named = {"operationName": name} if name is not None else {}
        return self.request(json.dumps({"query": document, **named}))

    def close(self) -> None:
        self._connection.close()


def read_by_graphql_core(document: str, name: str | None = None) -> dict[str, int]:
    """Return how often the operation that runs has each root field, whatever is skipped."""
    definitions = parse(document).definitions
    operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
    fragments = {
        each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)
    }
    (one,) = [
        each
        for each in operations
        if name is None or (each.name is not None and each.name.value == name)
    ]
    found: set[tuple[str, str]] = set()
    seen: set[str] = set()

    def collect(selected: SelectionSetNode) -> None:
        for each in selected.selections:
            if isinstance(each, FieldNode):
                key = each.alias or each.name
                found.add((each.name.value, key.value))
            elif isinstance(each, InlineFragmentNode):
                collect(each.selection_set)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                collect(fragments[each.name.value].selection_set)

    collect(one.selection_set)
    root = one.operation.value.capitalize()
    return dict(Counter(f"{root}.{field}" for field, _ in found))


@contextmanager
def reading(directory: Path) -> Iterator[Reader]:
    """Start an Envoy that does nothing but read."""
    bounds = f"local BODY_BYTES, DOCUMENT_BYTES = {BODY_BYTES}, {DOCUMENT_BYTES}\n"
    with gateway(directory) as running:
        router = {"name": "router", "typed_config": typed(f"{HTTP}http.router.v3.Router")}
        manager: dict[str, Any] = {
            "stat_prefix": "reader",
            "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"]}]},
            "http_filters": [lua_filter("read", bounds + script("fields") + TELL), router],
        }
        kind = f"{HTTP}network.http_connection_manager.v3.HttpConnectionManager"
        address = {"socket_address": {"address": "127.0.0.1", "port_value": running.port}}
        filters = [{"name": "http", "typed_config": typed(kind, **manager)}]
        listener = {"name": "any", "address": address, "filter_chains": [{"filters": filters}]}
        begun = {"static_resources": {"listeners": [listener]}}
        (directory / "bootstrap.json").write_text(json.dumps(begun))
        running.start()
        reader = Reader(running.port)
        try:
            yield reader
        finally:
            reader.close()
