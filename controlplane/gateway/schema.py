"""The gateways' GraphQL schema: small and static, no text of a user's reaches its printer.

It hands out the same rows as GET /gateway/v1/config and takes acknowledgements.
"""

import re
from dataclasses import dataclass
from typing import Any

import graphene
import orjson
from graphene_directives import build_schema

from controlplane.context import Context
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.document import Document, cursor_of
from controlplane.gateway.policy import COST, SCOPE, cost, scope
from domain.aggregate import DomainError
from domain.routing import PLAN, PRODUCT, SUBSCRIPTION, VERSION

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ContentHashInvalidError(DomainError):
    """A content hash is 64 lower-case hexadecimal digits."""


@dataclass(frozen=True)
class Asked:
    """What resolvers reach: the dependencies of the request, and the configurations."""

    context: Context
    delivery: Delivery


class ConfigRow(graphene.Scalar):
    """A JSON object, exactly as GET /gateway/v1/config sends it and as it is hashed."""

    @staticmethod
    def serialize(row: bytes) -> orjson.Fragment:
        """Have the stored bytes put into the answer."""
        return orjson.Fragment(row)


class GroupOfGateways(graphene.ObjectType):
    """The gateways that enforce one configuration."""

    class Meta:
        """The name in the schema."""

        name = "GatewayGroup"

    id = graphene.ID(required=True, description="The id of the group.")
    slug = graphene.String(required=True, description="Its name in addresses.")
    environment = graphene.String(
        required=True, description="Which of the upstreams of a version its gateways call."
    )
    confirmed_epoch = graphene.Int(
        required=True, description="Up to which epoch tombstones of earlier ones may be forgotten."
    )


class RemovedRow(graphene.ObjectType):
    """A row that a gateway must drop; it may not have it."""

    kind = graphene.String(required=True, description="product, version, plan or subscription.")
    id = graphene.String(required=True, description="The id of the row.")


class GatewayConfig(graphene.ObjectType):
    """A snapshot, or the difference between two; docs/gateway-config.md describes the format."""

    format = graphene.Int(required=True, description="The number of the format.")
    group = graphene.Field(GroupOfGateways, required=True, description="Whose it is.")
    cursor = graphene.String(
        required=True, description="The state it leads to; give it as since next time."
    )
    content_hash = graphene.String(required=True, description="The hash of that state.")
    full = graphene.Boolean(required=True, description="Whether it replaces what was before.")
    since = graphene.String(description="The state that a delta begins at.")
    issued_at = graphene.String(required=True, description="When it was made, in UTC.")
    max_staleness_s = graphene.Int(
        required=True, description="For how many seconds it may be enforced unconfirmed."
    )
    intentionally_empty = graphene.Boolean(
        required=True, description="Whether having no rows is right."
    )
    signing_keys = graphene.List(
        graphene.NonNull(ConfigRow), required=True, description="The JWKs to trust from now on."
    )
    signature = graphene.Field(
        ConfigRow, required=True, description="By which of them the state it leads to is signed."
    )
    products = graphene.List(
        graphene.NonNull(ConfigRow), required=True, description="Rows of products."
    )
    versions = graphene.List(
        graphene.NonNull(ConfigRow), required=True, description="Rows of API versions."
    )
    plans = graphene.List(
        graphene.NonNull(ConfigRow), required=True, description="Rows of plan versions."
    )
    subscriptions = graphene.List(
        graphene.NonNull(ConfigRow), required=True, description="Rows of subscriptions."
    )
    removed = graphene.List(
        graphene.NonNull(RemovedRow), required=True, description="Rows gone since; of a delta."
    )

    @staticmethod
    def resolve_removed(document: dict[str, Any], _: object) -> list[dict[str, str]]:
        """Return no rows for a snapshot."""
        removed: list[dict[str, str]] = document.get("removed", [])
        return removed


class Query(graphene.ObjectType):
    """What a gateway can ask."""

    gateway_config = graphene.Field(
        GatewayConfig,
        required=True,
        group=graphene.String(description="The slug of a group; a gateway has its own."),
        since=graphene.String(description="The cursor of the configuration it has."),
        description="What the gateways of a group must enforce.",
    )
    scope(requires="config:read", field=gateway_config)
    cost(weight=40, field=gateway_config)

    @staticmethod
    async def resolve_gateway_config(
        _: object,
        info: graphene.ResolveInfo,
        group: str | None = None,
        since: str | None = None,
    ) -> dict[str, Any]:
        """Return a delta since the cursor if that is smaller, or a snapshot."""
        asked: Asked = info.context
        caller = asked.context.caller
        cursor = None if since is None else cursor_of(since, "since")
        held = () if cursor is None else (cursor,)
        served = await asked.delivery.served(caller, group, held)
        return _fields(await asked.delivery.document(caller, served, cursor))


class AcknowledgeConfigInput(graphene.InputObjectType):
    """What the gateway runs now."""

    cursor = graphene.String(required=True, description="The cursor of the configuration.")
    content_hash = graphene.String(
        required=True, description="The hash that the gateway computed of what it enforces."
    )


class AcknowledgedConfig(graphene.ObjectType):
    """An acknowledgement that was kept, and how it compares."""

    cursor = graphene.String(required=True, description="The cursor that was acknowledged.")
    acknowledged_at = graphene.String(required=True, description="When, by the database, in UTC.")
    running_since = graphene.String(
        required=True, description="When the gateway first acknowledged it, in UTC."
    )
    current = graphene.Boolean(required=True, description="Whether there is nothing newer.")
    diverged = graphene.Boolean(
        required=True,
        description="Whether it is current and yet has another hash: then take a snapshot.",
    )


class ReportConfigErrorInput(graphene.InputObjectType):
    """What the gateway cannot run."""

    cursor = graphene.String(required=True, description="The cursor of the configuration.")
    reason = graphene.String(
        required=True,
        description="What is wrong with it, in its words; 1,000 characters of it are kept.",
    )


class ReportedConfigError(graphene.ObjectType):
    """An error that was kept."""

    cursor = graphene.String(required=True, description="The cursor that was rejected.")
    reported_at = graphene.String(required=True, description="When, by the database, in UTC.")


class Mutation(graphene.ObjectType):
    """What a gateway can say."""

    acknowledge_config = graphene.Field(
        AcknowledgedConfig,
        required=True,
        input=graphene.Argument(AcknowledgeConfigInput, required=True, description="What it runs."),
        description="Say which configuration the gateway runs now, in place of what it said last.",
    )
    scope(requires="config:acknowledge", field=acknowledge_config)
    cost(weight=20, field=acknowledge_config)

    @staticmethod
    async def resolve_acknowledge_config(
        _: object,
        info: graphene.ResolveInfo,
        input: dict[str, str],  # noqa: A002  # GraphQL calls the argument so
    ) -> dict[str, Any]:
        """Keep the acknowledgement and compare it with the configuration now."""
        asked: Asked = info.context
        caller = asked.context.caller
        cursor, content_hash = cursor_of(input["cursor"], "cursor"), input["content_hash"]
        if not _HASH.fullmatch(content_hash):
            raise ContentHashInvalidError("content_hash")
        served = await asked.delivery.served(caller, None, (cursor,))
        kept = await asked.delivery.observations.acknowledged(caller, served, cursor, content_hash)
        return {
            "cursor": str(kept.cursor),
            "acknowledged_at": kept.acknowledged_at.isoformat(),
            "running_since": kept.running_since.isoformat(),
            "current": asked.delivery.is_current(served, kept.cursor),
            "diverged": kept.diverged,
        }

    report_config_error = graphene.Field(
        ReportedConfigError,
        required=True,
        input=graphene.Argument(
            ReportConfigErrorInput, required=True, description="What it cannot run."
        ),
        description="Say which configuration the gateway got and cannot run, and why.",
    )
    scope(requires="config:acknowledge", field=report_config_error)
    cost(weight=20, field=report_config_error)

    @staticmethod
    async def resolve_report_config_error(
        _: object,
        info: graphene.ResolveInfo,
        input: dict[str, str],  # noqa: A002  # GraphQL calls the argument so
    ) -> dict[str, Any]:
        """Keep the error; what the gateway runs stays what it acknowledged."""
        asked: Asked = info.context
        caller, cursor = asked.context.caller, cursor_of(input["cursor"], "cursor")
        await asked.delivery.served(caller, None, (cursor,))
        at = await asked.delivery.observations.rejected(caller, cursor, input["reason"])
        return {"cursor": str(cursor), "reported_at": at.isoformat()}


def _fields(document: Document) -> dict[str, Any]:
    head, rows = document.head, document.rows
    return {
        **head,
        "signing_keys": [orjson.dumps(key) for key in head["signing_keys"]],
        "signature": orjson.dumps(head["signature"]),
        "products": rows[PRODUCT],
        "versions": rows[VERSION],
        "plans": rows[PLAN],
        "subscriptions": rows[SUBSCRIPTION],
    }


def build() -> graphene.Schema:
    """Return the schema as its types declare it now."""
    return build_schema(query=Query, mutation=Mutation, directives=(SCOPE, COST))


def sdl() -> str:
    """Return the published schema, policy directives included."""
    # The printer of the directives leaves blanks before what it does not add.
    return re.sub(r" +$| +(?= \{$)", "", f"{build()}\n", flags=re.MULTILINE)
