"""What gateways enforce: rows of domain.routing, each with the positions between which it held.

The configuration now, at a position, and what changed since one are each a range of positions. What
a row was stays in `config_past`. A body is text in canonical form, hashed and sent as it is stored.
"""

from collections.abc import Iterator
from typing import cast

import orjson

from domain import config_document, routing
from domain.aggregate import Aggregate
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion
from domain.gateway_group import GatewayGroup
from domain.plan import Plan
from domain.plan_terms import AuthKind
from domain.subscription import Subscription
from projections import enforced_rows
from projections.readmodel import Key, Recorded, Row, Rows, Table

NAME = "gateway_config"
VERSION = 8
CONFIG = Table(
    "config",
    key={"organization_id": "uuid", "kind": "text", "id": "text"},
    columns={
        "from_position": "bigint",  # null while it does not hold yet
        "until_position": "bigint",  # null while it holds
        "body": "text",
        "granted": "boolean",  # by the provider; what is not granted, or blocked, does not hold
        "blocked": "boolean",
    },
    indexes=("organization_id, from_position", "organization_id, until_position"),
)
CONFIG_PAST = Table(
    "config_past",
    key={"organization_id": "uuid", "kind": "text", "id": "text", "from_position": "bigint"},
    columns={"until_position": "bigint", "body": "text"},
    indexes=("organization_id, until_position",),
    appends=True,
)
CONFIG_CURSOR = Table(
    "config_cursor",
    key={"organization_id": "uuid"},
    columns={"position": "bigint"},
    indexes=("position",),
)
TABLES: tuple[Table, ...] = (CONFIG, CONFIG_PAST, CONFIG_CURSOR)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    ApiProduct.Defined,
    ApiProduct.Published,
    ApiProduct.PublicationWithdrawn,
    ApiProduct.Deprecated,
    ApiProduct.SunsetScheduled,
    ApiProduct.DeprecationWithdrawn,
    ApiProduct.Retired,
    ApiProduct.Reinstated,
    ApiVersion.Defined,
    ApiVersion.Revised,
    ApiVersion.UpstreamChosen,
    ApiVersion.UpstreamWithdrawn,
    ApiVersion.Published,
    ApiVersion.PublicationWithdrawn,
    ApiVersion.Deprecated,
    ApiVersion.SunsetScheduled,
    ApiVersion.DeprecationWithdrawn,
    ApiVersion.Retired,
    ApiVersion.Reinstated,
    ApiVersion.Blocked,
    ApiVersion.Unblocked,
    GatewayGroup.Opened,
    GatewayGroup.EpochConfirmed,
    GatewayGroup.ConfigReleased,
    GatewayGroup.ConfigShrinkIntended,
    Plan.Defined,
    Plan.VersionPublished,
    Plan.Closed,
    Subscription.Requested,
    Subscription.Accepted,
    Subscription.Suspended,
    Subscription.Resumed,
    Subscription.Transferred,
    Subscription.ExpiryScheduled,
    Subscription.Expired,
    Subscription.Reinstated,
    Subscription.Cancelled,
    Subscription.CredentialIssued,
    Subscription.CredentialImported,
    Subscription.CredentialRotated,
    Subscription.CredentialRevoked,
)
_KINDS = {
    ApiProduct: routing.PRODUCT,
    ApiVersion: routing.VERSION,
    GatewayGroup: routing.GROUP,
    Plan: routing.PLAN,
    Subscription: routing.SUBSCRIPTION,
}
_KIND_OF = {
    event: kind
    for aggregate, kind in _KINDS.items()
    for event in EVENTS
    if event.__qualname__.startswith(f"{aggregate.__name__}.")
}


def _key(recorded: Recorded, id_: str) -> Key:
    return Key(CONFIG, (recorded.organization_id, _KIND_OF[type(recorded.event)], id_))


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the row it happened to, the cursor of its organization, and what it supersedes."""
    event = recorded.event
    yield _key(recorded, str(event.originator_id))
    yield Key(CONFIG_CURSOR, (recorded.organization_id,))
    if isinstance(event, Plan.VersionPublished | Plan.Closed):
        yield _superseded(recorded, event)


def _superseded(recorded: Recorded, event: Plan.VersionPublished | Plan.Closed) -> Key:
    """Name the version of a plan that is not sold any more, there or not."""
    number = event.plan_version - isinstance(event, Plan.VersionPublished)
    return _key(recorded, routing.plan_row_id(event.originator_id, number))


def project(recorded: Recorded, rows: Rows) -> None:
    """Open, change or close rows at the position of the event."""
    event = recorded.event
    key = _key(recorded, str(event.originator_id))
    match event:
        case ApiProduct.Event() | ApiVersion.Event():
            _offer(recorded, rows, key)
        case Plan.Event():
            _sell(recorded, rows, key)
        case GatewayGroup.Opened(originator_id=id_, slug=slug, environment=environment):
            products, position = event.product_ids, recorded.position
            rows[key] = _draft(routing.group(id_, slug, environment, products, position))
            _open(recorded, rows, key)
        case GatewayGroup.Event():
            _change(recorded, rows, key, enforced_rows.decided(event, _body(rows[key])))
        case _:
            _subscribe(recorded, rows, key)


def _offer(recorded: Recorded, rows: Rows, key: Key) -> None:
    match recorded.event:
        case ApiProduct.Defined(originator_id=id_, slug=slug):
            rows[key] = _draft(routing.product(id_, slug))
        case ApiVersion.Defined() as defined:
            rows[key] = _draft(_version(defined))
        case _:
            _live(recorded, rows, key)


def _sell(recorded: Recorded, rows: Rows, key: Key) -> None:
    event = recorded.event
    match event:
        case Plan.Defined():  # holds nothing itself: its versions need the products
            rows[key] = _draft({"products": [str(product) for product in event.product_ids]})
        case Plan.VersionPublished(originator_id=id_, plan_version=number):
            products = _body(rows[key])["products"]
            own = _key(recorded, routing.plan_row_id(id_, number))
            rows[own] = _draft(routing.plan(id_, number, products, event.terms))
            _open(recorded, rows, own)
            _end_keyless(recorded, rows, _superseded(recorded, event))
        case Plan.Closed():
            _end_keyless(recorded, rows, _superseded(recorded, event))


def _subscribe(recorded: Recorded, rows: Rows, key: Key) -> None:
    event = recorded.event
    match event:
        case Subscription.Requested(originator_id=id_, application_id=application_id):
            rows[key] = _draft(
                routing.subscription(id_, application_id, event.plan_id, event.plan_version)
            )
        case Subscription.Accepted():
            rows[key] |= _draft(routing.until(_body(rows[key]), event.expires_at))
            _open(recorded, rows, key)
        case Subscription.Resumed():
            _open(recorded, rows, key)
        case Subscription.Reinstated(suspended=suspended):
            _change(recorded, rows, key, enforced_rows.subscribed(event, _body(rows[key])))
            if not suspended:
                _open(recorded, rows, key)
        case Subscription.Suspended() | Subscription.Expired() | Subscription.Cancelled():
            _close(recorded, rows, key)
        case _:
            _change(recorded, rows, key, enforced_rows.subscribed(event, _body(rows[key])))


def _end_keyless(recorded: Recorded, rows: Rows, key: Key) -> None:
    """Close the row of a plan's keyless version: nobody subscribed who would keep it."""
    row = rows.get(key)
    if row is not None and _body(row)["auth"]["kind"] == AuthKind.KEYLESS.value:
        _close(recorded, rows, key)


def _live(recorded: Recorded, rows: Rows, key: Key) -> None:
    """Have a product or a version be routed to as long as it is granted and not blocked."""
    row, event = rows[key], recorded.event
    granted, blocked = bool(row.get("granted")), bool(row.get("blocked"))
    match event:
        case ApiProduct.PublicationWithdrawn() | ApiVersion.PublicationWithdrawn():
            granted = False
        case ApiProduct.Retired() | ApiVersion.Retired():
            granted = False
        case ApiVersion.Blocked() | ApiVersion.Unblocked():
            blocked = isinstance(event, ApiVersion.Blocked)
        case ApiProduct.Published() | ApiVersion.Published():
            granted = True
        case ApiProduct.Reinstated() | ApiVersion.Reinstated():
            granted = True
    row |= {"granted": granted, "blocked": blocked}
    body = enforced_rows.offered(event, _body(row))
    _become(recorded, rows, key, body, holds=granted and not blocked)


def _become(recorded: Recorded, rows: Rows, key: Key, body: routing.Body, *, holds: bool) -> None:
    """Have a row that may come and go say this from now on, and hold or not.

    What it said while it held is kept as it was, in `config_past` if the row goes on to say more.
    """
    row, text = rows[key], config_document.canonical(body).decode()
    begun, ended = row.get("from_position"), row.get("until_position")
    held = begun is not None and ended is None
    if held is holds and text == row["body"]:
        return
    if held and not holds and text == row["body"]:
        _close(recorded, rows, key)
        return
    if begun is not None:
        past = Key(CONFIG_PAST, (*key.values, begun))
        rows[past] = {"until_position": ended or recorded.position, "body": row["body"]}
    row |= {"body": text, "until_position": None}
    row["from_position"] = recorded.position if holds else None
    if held or holds:
        _move(recorded, rows)


def _version(event: ApiVersion.Defined) -> routing.Body:
    return routing.version(
        event.originator_id,
        product_id=event.product_id,
        api=event.api,
        number=event.number,
        kind=event.contract_kind,
        upstreams=event.upstreams,
        operations=event.operations,
    )


def _draft(body: routing.Body) -> Row:
    return {"body": config_document.canonical(body).decode()}


def _body(row: Row) -> routing.Body:
    return cast("routing.Body", orjson.loads(str(row["body"])))


def _open(recorded: Recorded, rows: Rows, key: Key) -> None:
    _archive(rows, key)
    rows[key] |= {"from_position": recorded.position, "until_position": None}
    _move(recorded, rows)


def _close(recorded: Recorded, rows: Rows, key: Key) -> None:
    row = rows[key]
    if _holds(row):  # one that never held leaves nothing behind, and one that ended, ended once
        row["until_position"] = recorded.position
        _move(recorded, rows)


def _change(recorded: Recorded, rows: Rows, key: Key, body: routing.Body) -> None:
    row = rows[key]
    if _holds(row):
        row["until_position"] = recorded.position
        _open(recorded, rows, key)
    else:
        # Suspended: it holds nothing, and what it will hold is no longer what it held.
        _archive(rows, key)
        row |= {"from_position": None, "until_position": None}
    row |= _draft(body)


def _holds(row: Row) -> bool:
    return row.get("from_position") is not None and row.get("until_position") is None


def _archive(rows: Rows, key: Key) -> None:
    """Keep what held and is over, before the row becomes something else."""
    row = rows[key]
    if row.get("until_position") is not None:
        past = Key(CONFIG_PAST, (*key.values, row["from_position"]))
        rows[past] = {"until_position": row["until_position"], "body": row["body"]}


def _move(recorded: Recorded, rows: Rows) -> None:
    rows[Key(CONFIG_CURSOR, (recorded.organization_id,))] = {"position": recorded.position}
