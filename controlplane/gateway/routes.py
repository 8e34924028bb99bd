"""The routes of the gateways' surface."""

from aiohttp import web

from controlplane.app import App
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.endpoint import Endpoint


def routes(app: App) -> list[web.RouteDef]:
    """Return the poll, the keys of its signatures, and the gateways' GraphQL on the same mirrors.

    Polls that are held end when `app.stopping` is set and the projector's watchers are called.
    """
    delivery = Delivery(app)
    return [
        web.get("/gateway/v1/config", delivery.poll, allow_head=False),
        web.get("/gateway/v1/keys", delivery.keys, allow_head=False),
        web.post("/gateway/graphql", Endpoint(delivery).post),
    ]
