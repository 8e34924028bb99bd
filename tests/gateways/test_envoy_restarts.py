"""Control plane and Envoy as processes, of which one comes and goes."""

import json
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controlplane.gateway.renderers import Site, envoy
from tests.gateways.real_envoy import free_port, gateway
from tests.processes import Served, eventually, serving

PATH = "/control-plane-http/v1/healthz"
SUBSCRIPTIONS = "{ subscriptions(first: 100) { nodes { id state } } }"
ISSUE = """mutation ($input: IssueCredentialInput!) { result: issueCredential(input: $input) {
  ... on CredentialIssued { credential { id } secret { ... on SecretShownOnce { value } } }
  ... on Rejected { message } } }"""
REVOKE = """mutation ($input: RevokeCredentialInput!) { result: revokeCredential(input: $input) {
  ... on Rejected { message } __typename } }"""


def ask(url: str, token: str, query: str, **variables: str) -> Any:
    address = urlsplit(url)
    body = json.dumps({"query": query, "variables": {"input": variables}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with closing(HTTPConnection(address.netloc, timeout=10)) as connection:
        connection.request("POST", "/graphql", body, headers)
        said = json.load(connection.getresponse())
    assert "data" in said, said
    return said["data"]


def sent(served: Served) -> int:
    """Return how many answers with resources a process has given."""
    name = b'controlplane_xds_polls_total{answer="resources"} '
    lines = served.get("/metrics")[1].splitlines()
    return next(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


def test_an_envoy_lives_through_a_restart_of_the_control_plane(dsn: str, tmp_path: Path) -> None:
    environment = {
        "CONTROLPLANE_DATABASE_URL": dsn,
        "CONTROLPLANE_PORT": str(free_port()),
        "CONTROLPLANE_SHUTDOWN_S": "2",
    }
    with gateway(tmp_path) as running:
        with serving(tmp_path / "1", "--demo", **environment) as first:
            url, tokens = first.announced["url"], first.announced["tokens"]
            site = Site(
                str(tmp_path),
                listen_port=running.port,
                control_plane=url,
                token_file=str(tmp_path / "token"),
            )
            running.put({"token": tokens["gateway"].encode(), **envoy.bootstrap(site)})
            running.start()
            nodes = ask(url, tokens["owner"], SUBSCRIPTIONS)["subscriptions"]["nodes"]
            (subscription, *_) = [each["id"] for each in nodes if each["state"] == "ACTIVE"]
            keys = [
                ask(url, tokens["owner"], ISSUE, subscriptionId=subscription)["result"]
                for _ in range(2)
            ]
            for key in keys:  # they may come in two parts
                running.until(200, PATH, key["secret"]["value"])
            first.process.kill()
            first.process.wait()

            # Its upstream, the control plane, is away: that it is asked shows that the key works.
            assert running.call(PATH, keys[0]["secret"]["value"]).status == 503
            assert running.call(PATH, "unknown").status == 401
        with serving(tmp_path / "2", **environment) as second:
            running.until(200, PATH, keys[0]["secret"]["value"])
            assert eventually(lambda: second.get("/metrics")[1].count(b"controlplane_xds"))
            time.sleep(1)  # in which every part is polled
            assert sent(second) == 0

            for key in keys:
                revoked = {"credentialId": key["credential"]["id"]}
                ask(url, tokens["owner"], REVOKE, **revoked)
                assert running.until(401, PATH, key["secret"]["value"]) < 2
            assert sent(second) in {1, 2}
