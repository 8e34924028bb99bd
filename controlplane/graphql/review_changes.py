"""What can be done about versions on their way past the contract gate."""

import strawberry

from controlplane.commands.review import (
    ApproveVersion,
    OverrideGate,
    RequestChanges,
    ReviseVersion,
    SubmitVersion,
)
from controlplane.graphql.changes import change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.version_changes import VersionChanged, VersionInput


@strawberry.input
class ReviewInput(VersionInput):
    """A version, and what is said about it."""

    comment: str = strawberry.field(
        default="", description="For those who review it; at most 20,000 characters."
    )


@strawberry.input
class RequestChangesInput(VersionInput):
    """A submitted version, and what to change."""

    comment: str = strawberry.field(description="What to change; at most 20,000 characters.")


@strawberry.input
class ReviseVersionInput(VersionInput):
    """A version, and its corrected contract."""

    document: str = strawberry.field(
        description="OpenAPI 3.0 or 3.1 as JSON or YAML, or GraphQL SDL."
    )


@strawberry.type
class ReviewMutations:
    """What can be done about versions that are reviewed."""

    @mutation
    async def submit_version(self, info: Info, input: ReviewInput) -> VersionChanged | Rejected:
        """Have a draft version reviewed, with what the gate says; needs version:define."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: SubmitVersion(**input.said(), comment=input.comment),
        )

    @mutation
    async def approve_version(self, info: Info, input: ReviewInput) -> VersionChanged | Rejected:
        """Let a submitted version be published; needs version:review."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: ApproveVersion(**input.said(), comment=input.comment),
        )

    @mutation
    async def request_changes(
        self, info: Info, input: RequestChangesInput
    ) -> VersionChanged | Rejected:
        """Make a submitted version a draft again; needs version:review."""
        return await change(
            info,
            VersionChanged,
            input,
            lambda: RequestChanges(**input.said(), comment=input.comment),
        )

    @mutation
    async def override_gate(self, info: Info, input: VersionInput) -> VersionChanged | Rejected:
        """Let a version pass that the gate refuses, with a reason; needs version:override."""
        return await change(info, VersionChanged, input, lambda: OverrideGate(**input.said()))

    @mutation
    async def revise_version(
        self, info: Info, input: ReviseVersionInput
    ) -> VersionChanged | Rejected:
        """Correct the contract of a draft, or of a version in service; needs version:define.

        What was published is corrected only so that it breaks nobody.
        """
        return await change(
            info,
            VersionChanged,
            input,
            lambda: ReviseVersion(**input.said(), document=input.document.encode()),
        )
