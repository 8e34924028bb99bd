"""The whole schema for portals and administrators."""

from inspect import cleandoc
from typing import Annotated, Any

import strawberry
from graphql import GraphQLNamedType, GraphQLSchema, Undefined, print_schema
from strawberry.schema.config import StrawberryConfig

from controlplane.global_id import key_of, parts_of
from controlplane.graphql.access_token import (
    ACCESS_TOKEN,
    AccessTokenMutations,
    AccessTokenQueries,
)
from controlplane.graphql.application import (
    APPLICATION,
    ApplicationMutations,
    ApplicationQueries,
)
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.audit import AUDIT_EVENT, AuditQueries
from controlplane.graphql.contract import ContractQueries
from controlplane.graphql.contract_policy import ContractPolicyMutations, ContractPolicyQueries
from controlplane.graphql.credential import CREDENTIAL, CredentialMutations, CredentialQueries
from controlplane.graphql.effective_limits import LimitQueries
from controlplane.graphql.enforced import EnforcedQueries
from controlplane.graphql.errors import invalid
from controlplane.graphql.gateway import (
    GATEWAY,
    GATEWAY_GROUP,
    GatewayQueries,
)
from controlplane.graphql.gateway_changes import GatewayMutations
from controlplane.graphql.gateway_config_changes import GatewayConfigMutations
from controlplane.graphql.impact import ImpactQueries
from controlplane.graphql.invitation import INVITATION, InvitationQueries
from controlplane.graphql.invitation_changes import InvitationMutations
from controlplane.graphql.live import Live
from controlplane.graphql.loaders import Info, Kind, one_anywhere
from controlplane.graphql.node import Node
from controlplane.graphql.organization import (
    ORGANIZATION,
    OrganizationMutations,
    OrganizationQueries,
)
from controlplane.graphql.page import PAGE, PAGE_VERSION
from controlplane.graphql.page_changes import PageMutations
from controlplane.graphql.past import has_history
from controlplane.graphql.plan import PLAN, PLAN_VERSION, PlanQueries
from controlplane.graphql.plan_changes import PlanMutations
from controlplane.graphql.product import PRODUCT, ProductQueries
from controlplane.graphql.product_changes import ProductMutations
from controlplane.graphql.review import REVIEW_STEP, REVISION
from controlplane.graphql.review_changes import ReviewMutations
from controlplane.graphql.rights import RightsQueries
from controlplane.graphql.scalars import SCALARS
from controlplane.graphql.search import SearchQueries
from controlplane.graphql.subscription import SUBSCRIPTION, SubscriptionQueries
from controlplane.graphql.subscription_changes import SubscriptionMutations
from controlplane.graphql.team import DEVELOPER, TEAM, TeamQueries
from controlplane.graphql.team_changes import TeamMutations
from controlplane.graphql.version import OPERATION, VERSION
from controlplane.graphql.version_changes import VersionMutations
from controlplane.graphql.viewer import ViewerQueries

KINDS: tuple[Kind[Any], ...] = (
    ACCESS_TOKEN,
    APPLICATION,
    AUDIT_EVENT,
    CREDENTIAL,
    DEVELOPER,
    GATEWAY,
    GATEWAY_GROUP,
    INVITATION,
    OPERATION,
    ORGANIZATION,
    PAGE,
    PAGE_VERSION,
    PLAN,
    PLAN_VERSION,
    PRODUCT,
    REVIEW_STEP,
    REVISION,
    SUBSCRIPTION,
    TEAM,
    VERSION,
)
_BY_NAME = {kind.name: kind for kind in KINDS}


@strawberry.type
class Query(
    ViewerQueries,
    OrganizationQueries,
    ProductQueries,
    ContractQueries,
    ContractPolicyQueries,
    ImpactQueries,
    PlanQueries,
    SearchQueries,
    LimitQueries,
    TeamQueries,
    InvitationQueries,
    ApplicationQueries,
    SubscriptionQueries,
    CredentialQueries,
    RightsQueries,
    GatewayQueries,
    EnforcedQueries,
    AccessTokenQueries,
    AuditQueries,
):
    """What can be read."""

    @strawberry.field
    async def node(
        self,
        info: Info,
        *,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of anything.")],
        as_of: AsOfArgument = None,
    ) -> Node | None:
        """Return the node with this id, null if the caller sees none such."""
        await look_back(info, as_of)
        name, parts = parts_of(id) or ("", [])
        kind = _BY_NAME.get(name)
        if kind is None:
            return None
        if as_of is not None and not has_history(kind.table):
            raise invalid(f"The past of the type {name} is not kept; ask without `asOf`.")
        key = key_of(tuple(column.kind for column in kind.key[1:]), parts)
        if key is None:
            return None
        found: Node | None = await one_anywhere(info, kind, key)
        return found


@strawberry.type
class Mutation(
    OrganizationMutations,
    TeamMutations,
    InvitationMutations,
    ProductMutations,
    VersionMutations,
    ReviewMutations,
    ContractPolicyMutations,
    PageMutations,
    PlanMutations,
    ApplicationMutations,
    SubscriptionMutations,
    CredentialMutations,
    GatewayMutations,
    GatewayConfigMutations,
    AccessTokenMutations,
):
    """What can be changed; each answers what happened, or which rule was broken."""


def _described(schema: GraphQLSchema) -> GraphQLSchema:
    """Take the descriptions that strawberry leaves out from docstrings, and drop `= null`."""
    ours = {
        type_: type_.extensions["strawberry-definition"]
        for type_ in schema.type_map.values()
        if "strawberry-definition" in type_.extensions
    }
    for type_, definition in ours.items():
        type_.description = type_.description or _text(getattr(definition, "origin", None))
    for type_, definition in ours.items():
        resolvers = {
            field.python_name: field.base_resolver
            for field in getattr(definition, "fields", ())
            if field.base_resolver is not None
        }
        _describe_fields(type_, resolvers)
    return schema


def _describe_fields(type_: GraphQLNamedType, resolvers: dict[str, Any]) -> None:
    for field in getattr(type_, "fields", {}).values():
        own = field.extensions["strawberry-definition"]
        resolver = resolvers.get(own.python_name)
        if not field.description and resolver is not None:
            field.description = _text(resolver.wrapped_func)
        arguments = getattr(field, "args", {})
        for name, argument in arguments.items():
            if name == "input":
                argument.description = argument.type.of_type.description
        for each in [field, *arguments.values()]:
            if getattr(each, "default_value", Undefined) is None:
                each.default_value = Undefined


def _text(documented: object) -> str | None:
    text = getattr(documented, "__doc__", None)
    return cleandoc(text) if text else None


schema: GraphQLSchema = _described(
    strawberry.Schema(Query, Mutation, Live, config=StrawberryConfig(scalar_map=SCALARS))._schema  # noqa: SLF001  # executed by graphql-core, with limits and caching of our own
)


def sdl() -> str:
    """Return the schema in GraphQL's own language, as schema.graphql holds it."""
    return print_schema(schema) + "\n"
