"""What can be done about versions of products, from the first draft to the end."""

from datetime import datetime
from typing import Any

import strawberry

from controlplane.commands.api_version import (
    BlockVersion,
    ChooseUpstream,
    DefineVersion,
    DeprecateVersion,
    ReinstateVersion,
    RetireVersion,
    ScheduleVersionSunset,
    UnblockVersion,
    WithdrawUpstream,
    WithdrawVersion,
    WithdrawVersionDeprecation,
)
from controlplane.commands.review import PublishVersion
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named, named_or_none
from controlplane.graphql.version import VERSION, ApiVersion
from domain import api_version


@strawberry.input
class UpstreamInput:
    """Where the calls of one environment are forwarded to."""

    environment: str = strawberry.field(description="The slug of the environment.")
    url: str = strawberry.field(description="An absolute http or https address.")


@strawberry.input
class DefineVersionInput(Asked):
    """The contract to submit as the next version of an API of a product."""

    product_id: strawberry.ID = strawberry.field(description="The id of the product.")
    api: str = strawberry.field(
        default=api_version.DEFAULT_API,
        description="The slug of the API within the product, if it has several; not v1 or alike.",
    )
    number: str = strawberry.field(
        description="The semantic version, as 1.4.0; unique for the API of the product."
    )
    document: str = strawberry.field(
        description="OpenAPI 3.0 or 3.1 as JSON or YAML, or GraphQL SDL."
    )
    upstreams: list[UpstreamInput] = strawberry.field(
        default_factory=list, description="Where calls go; at most 20, one for each environment."
    )


@strawberry.input
class VersionInput(AskedAtVersion):
    """The version that it is about."""

    version_id: strawberry.ID = strawberry.field(description="The id of the version.")

    def said(self) -> dict[str, Any]:
        """Return what every command about a version is told."""
        return {**super().said(), "version_id": named(self.version_id, "ApiVersion", "version_id")}


@strawberry.input
class PublishVersionInput(VersionInput):
    """The version that subscribers may call."""

    version_id: strawberry.ID = strawberry.field(description="The id of the draft version.")


@strawberry.input
class VersionSunsetInput(VersionInput):
    """Until when a deprecated version lasts."""

    sunset_at: datetime | None = strawberry.field(
        default=None, description="It is not retired before; null leaves it open."
    )


@strawberry.input
class DeprecateVersionInput(VersionSunsetInput):
    """What callers of a version are told that is advised against."""

    successor_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the version of the same product to call instead."
    )
    link: str = strawberry.field(
        default="", description="The http or https address of a page that says why."
    )


@strawberry.input
class ChooseUpstreamInput(VersionInput):
    """Where the calls of one environment are forwarded to from now on."""

    environment: str = strawberry.field(
        description="The slug of the environment, as gateway groups name it."
    )
    url: str = strawberry.field(description="An absolute http or https address.")


@strawberry.input
class WithdrawUpstreamInput(VersionInput):
    """The environment whose calls are forwarded nowhere from now on."""

    environment: str = strawberry.field(description="The slug of the environment.")


@strawberry.type
class VersionChanged(Changed):
    """The version, and what happened to it."""

    kinds = (VERSION,)

    @strawberry.field
    async def version(self, info: Info) -> ApiVersion | None:
        """Return the version; null after a dry run, and when the caller may not see it."""
        return await self.node(info, VERSION)


@strawberry.type
class VersionMutations:
    """What can be done about versions."""

    @mutation
    async def define_version(
        self, info: Info, input: DefineVersionInput
    ) -> VersionChanged | Rejected:
        """Submit a contract as a draft version of a product; needs version:define."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: DefineVersion(
                product_id=named(input.product_id, "ApiProduct", "product_id"),
                api=input.api,
                number=input.number,
                document=input.document.encode(),
                upstreams=tuple(
                    api_version.Upstream(each.environment, each.url) for each in input.upstreams
                ),
                **input.said(),
            ),
        )

    @mutation
    async def choose_upstream(
        self, info: Info, input: ChooseUpstreamInput
    ) -> VersionChanged | Rejected:
        """Forward the calls of an environment elsewhere; needs version:publish.

        At any time before the version is retired; gateways do so at once.
        """
        return await change(
            info,
            VersionChanged,
            input,
            lambda: ChooseUpstream(**input.said(), environment=input.environment, url=input.url),
        )

    @mutation
    async def withdraw_upstream(
        self, info: Info, input: WithdrawUpstreamInput
    ) -> VersionChanged | Rejected:
        """Forward the calls of an environment nowhere; needs version:publish."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: WithdrawUpstream(**input.said(), environment=input.environment),
        )

    @mutation
    async def publish_version(
        self, info: Info, input: PublishVersionInput
    ) -> VersionChanged | Rejected:
        """Let subscribers call a draft version; needs version:publish."""
        return await change(info, VersionChanged, input, lambda: PublishVersion(**input.said()))

    @mutation
    async def withdraw_version(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Make a version that was published by mistake a draft; needs version:publish."""
        return await change(info, VersionChanged, input, lambda: WithdrawVersion(**input.said()))

    @mutation
    async def deprecate_version(
        self, info: Info, input: DeprecateVersionInput
    ) -> VersionChanged | Rejected:
        """Advise against a published version; needs version:publish."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: DeprecateVersion(
                **input.said(),
                sunset_at=input.sunset_at,
                successor_id=named_or_none(input.successor_id, "ApiVersion", "successor_id"),
                link=input.link,
            ),
        )

    @mutation
    async def schedule_version_sunset(
        self, info: Info, input: VersionSunsetInput
    ) -> VersionChanged | Rejected:
        """Set, move or lift the sunset of a version; needs version:publish."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: ScheduleVersionSunset(**input.said(), sunset_at=input.sunset_at),
        )

    @mutation
    async def withdraw_version_deprecation(
        self, info: Info, input: VersionInput
    ) -> VersionChanged | Rejected:
        """Recommend a deprecated version again; needs version:publish."""
        return await change(
            info, VersionChanged, input, lambda: WithdrawVersionDeprecation(**input.said())
        )

    @mutation
    async def retire_version(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Have no gateway route to a version, after its sunset; needs version:publish."""
        return await change(info, VersionChanged, input, lambda: RetireVersion(**input.said()))

    @mutation
    async def reinstate_version(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Route to a retired version again, deprecated; needs version:publish."""
        return await change(info, VersionChanged, input, lambda: ReinstateVersion(**input.said()))

    @mutation
    async def block_version(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Take a version of any organization off all gateways; needs version:block."""
        return await change(info, VersionChanged, input, lambda: BlockVersion(**input.said()))

    @mutation
    async def unblock_version(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Leave a blocked version to its provider again; needs version:block."""
        return await change(info, VersionChanged, input, lambda: UnblockVersion(**input.said()))
