"""What an agent makes of answers of the control plane that it cannot use."""

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from controlplane.gateway.agent.source import Source, SourceError


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"title": "Forbidden", "detail": "It is drained."}', "It answered 403: It is drained."),
        ('{"errors": [{"message": "It needs a scope."}]}', "It answered 403: It needs a scope."),
        ("<html>of a proxy</html>", "It answered 403."),
        ("[]", "It answered 403."),
    ],
)
async def test_an_agent_that_is_refused_says_why(body: str, said: str) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=403, text=body)

    site = web.Application()
    site.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(site) as server, ClientSession() as session:
        source = Source(session, str(server.make_url("")).rstrip("/"), "token")

        with pytest.raises(SourceError) as polled:
            await source.poll(None, 0)
        with pytest.raises(SourceError) as acknowledged:
            await source.acknowledge("1.1", "hash")

    assert str(polled.value).endswith(said)
    assert str(acknowledged.value).endswith(said)
