"""What an event makes of a row that gateways enforce: of a product, a version, a subscription.

When the rows hold is in `gateway_config`.
"""

from datetime import datetime

from domain import routing
from domain.aggregate import Aggregate
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion
from domain.credential import HashAlgorithm
from domain.gateway_group import GatewayGroup
from domain.subscription import Subscription


def offered(event: Aggregate.Event, body: routing.Body) -> routing.Body:
    """Return what a product or a version is; most events change only whether it is there."""
    match event:
        case ApiVersion.UpstreamChosen(upstream=upstream):
            return routing.with_upstream(body, upstream.environment, upstream.url)
        case ApiVersion.UpstreamWithdrawn(environment=environment):
            return routing.with_upstream(body, environment, None)
        case ApiVersion.Revised(contract_kind=kind, operations=operations):
            return routing.revised(body, kind, operations)
    return _advised(event, body)


def _advised(event: Aggregate.Event, body: routing.Body) -> routing.Body:
    """Return a product or a version with what its callers are told of its end."""
    match event:
        case ApiProduct.Deprecated(sunset_at=sunset_at):
            return routing.deprecated(body, since=event.timestamp, sunset_at=sunset_at)
        case ApiVersion.Deprecated(sunset_at=sunset_at, successor_id=successor):
            return routing.deprecated(
                body,
                since=event.timestamp,
                sunset_at=sunset_at,
                successor=str(successor) if successor else None,
                link=event.link or None,
            )
        case ApiProduct.SunsetScheduled() | ApiVersion.SunsetScheduled():
            return routing.with_sunset(body, event.sunset_at)
        case ApiProduct.DeprecationWithdrawn() | ApiVersion.DeprecationWithdrawn():
            return routing.recommended(body)
        case ApiProduct.Reinstated() | ApiVersion.Reinstated():
            return routing.with_sunset(body, None)
    return body


def decided(event: GatewayGroup.Event, body: routing.Body) -> routing.Body:
    """Return what a group is."""
    match event:
        case GatewayGroup.EpochConfirmed(epoch=epoch):
            return {**body, "confirmed_epoch": epoch}
        case GatewayGroup.ConfigReleased(upto_position=position):
            return {**body, "released_position": position}
        case GatewayGroup.ConfigShrinkIntended(until=until):
            return {**body, "shrink_intended_until": until.isoformat()}
    raise AssertionError(event.TOPIC)


def subscribed(event: Aggregate.Event, body: routing.Body) -> routing.Body:
    """Return what a subscription is."""
    match event:
        case Subscription.Transferred():
            moved = routing.on_plan(body, event.plan_id, event.plan_version)
            return routing.until(moved, event.expires_at)
        case Subscription.ExpiryScheduled() | Subscription.Reinstated():
            return routing.until(body, event.expires_at)
        case Subscription.CredentialRevoked():
            return routing.without_key(body, event.credential_id)
    lasting = [key for key in body["keys"] if not _has_ended(key, event.timestamp)]
    return _with_key(event, {**body, "keys": lasting})


def _has_ended(key: routing.Body, at: datetime) -> bool:
    return key["not_after"] is not None and datetime.fromisoformat(key["not_after"]) <= at


def _with_key(event: Aggregate.Event, body: routing.Body) -> routing.Body:
    """Return a subscription with one more key; those that have ended made room for it."""
    forms: tuple[str | None, str | None]
    match event:
        case Subscription.CredentialIssued(credential_id=key_id):
            forms = event.sha256, event.sha1
        case Subscription.CredentialRotated(successor_id=key_id):
            body = routing.with_key_until(body, event.credential_id, event.overlap_ends_at)
            forms = event.sha256, event.sha1
        case Subscription.CredentialImported(credential_id=key_id):
            forms = _forms(event.algorithm, event.digest)
        case _:
            raise AssertionError(event.TOPIC)
    sha256, sha1 = forms
    return routing.with_key(
        body, key_id=key_id, sha256=sha256, sha1=sha1, not_after=event.not_after
    )


def _forms(algorithm: str, digest: str) -> tuple[str | None, str | None]:
    known = {algorithm: digest}
    return known.get(HashAlgorithm.SHA256_HEX.value), known.get(HashAlgorithm.SHA1_BASE64.value)
