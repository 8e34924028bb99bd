"""The configuration of a gateway group as a document, now or as it was."""

from typing import Any

import orjson
import strawberry

from controlplane.commands import NotFoundError
from controlplane.gateway.document import snapshot
from controlplane.graphql.as_of import AsOf, position_of
from controlplane.graphql.errors import RefusedError, not_permitted
from controlplane.graphql.loaders import Info, Key, Kind, one_anywhere
from controlplane.graphql.scalars import JSON, Count, Position

DOCUMENT_BYTES = 8 * 2**20


@strawberry.type
class GatewayConfig:
    """What the gateways of a group enforce at one position."""

    cursor: Position = strawberry.field(description="The position of its last change until then.")
    content_hash: str = strawberry.field(description="The hash by which gateways compare it.")
    rows: Count = strawberry.field(
        description="How many products, versions, plans and subscriptions it has."
    )
    document: JSON = strawberry.field(
        description="The snapshot that a gateway would have been given, docs/gateway-config.md."
    )


async def read(info: Info, groups: Kind[Any], key: Key, as_of: AsOf | None) -> GatewayConfig | None:
    """Return the configuration of a group, None if the caller sees none such or it began later.

    Raises RefusedError, also when it is larger than DOCUMENT_BYTES; UnavailableError.
    """
    request = info.context
    if groups.visible(request.caller) is None:
        raise not_permitted(groups.needs)
    number = max(request.app.projector.position, 0)
    position = number if as_of is None else await position_of(info, as_of)
    group = await one_anywhere(info, groups, key)
    if group is None:
        return None
    organization_id, group_id = group.key
    try:
        view = await request.app.mirrors.as_of(organization_id, str(group_id), position)
    except NotFoundError:
        return None
    if view.size_bytes > DOCUMENT_BYTES:
        raise RefusedError(
            "TOO_MUCH_DATA",
            f"The configuration has {view.size_bytes:,} bytes, at most {DOCUMENT_BYTES:,} are shown"
            " here; GET /gateway/v1/config has it.",
        )
    document = snapshot(view, request.app.epoch, request.context.services.now())
    return GatewayConfig(
        cursor=request.position(view.cursor),
        content_hash=view.content_hash,
        rows=Count(len(view.rows)),
        document=JSON(orjson.loads(document.encode())),
    )
