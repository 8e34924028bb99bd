"""The routes of the gateways' surface."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from controlplane.app import App
from controlplane.gateway import ahead, xds
from controlplane.gateway.ahead import Ahead
from controlplane.gateway.delivery import PATH, Delivery
from controlplane.gateway.endpoint import Endpoint
from controlplane.gateway.xds import Discovery

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def routes(app: App, delivery: Delivery) -> list[web.RouteDef]:
    """Return the poll and what belongs to it, the GraphQL and the xDS, on the same mirrors.

    Polls that are held end when `app.stopping` is set and the projector's watchers are called.
    """
    return [
        web.get(PATH, delivery.poll, allow_head=False),
        web.get("/gateway/v1/keys", delivery.keys, allow_head=False),
        web.post(ahead.PATH, Ahead(app, delivery).post),
        web.post("/gateway/graphql", Endpoint(delivery).post),
        web.post(xds.PATH, Discovery(app, delivery).answer),
    ]


def before_routing(delivery: Delivery, server: web.Server) -> None:
    """Have polls that find nothing new again answered before a request is routed.

    Half of what they cost was the way through routes and middleware. They are counted with the
    polls, but not measured with the requests: that would be a tenth of what they cost.
    """
    routed: Handler = server.request_handler

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        again = delivery.again(request)
        return await routed(request) if again is None else again

    server.request_handler = answer
