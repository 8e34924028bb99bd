"""Reviews: what the gate and people said of a version before it was published."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import strawberry
from asyncpg import Record

from controlplane.graphql import visibility
from controlplane.graphql.enums import described
from controlplane.graphql.findings import ContractFindings, findings_of
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one
from controlplane.graphql.node import Node
from controlplane.graphql.paging import Connection, Listing
from controlplane.graphql.scalars import Count
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.version import ApiVersion


class ReviewStepKind(Enum):
    """What happened to a version in its review."""

    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    GATE_OVERRIDDEN = "GATE_OVERRIDDEN"


described(
    ReviewStepKind,
    {
        "SUBMITTED": "It was handed in, or a draft was published at once.",
        "APPROVED": "It may be published.",
        "CHANGES_REQUESTED": "It is a draft again.",
        "GATE_OVERRIDDEN": "It may be published in spite of what the gate said.",
    },
)


@strawberry.type
class GateResult:
    """What the contract gate said of a version, under the policy of that moment."""

    followed_key: strawberry.Private[Key]
    findings_sha256: str = strawberry.field(description="The hash of what it found, as hex.")
    follows_number: str = strawberry.field(description="The number of the version it followed.")
    errors: int = strawberry.field(description="How many findings break subscribers.")
    warnings: int = strawberry.field(description="How many findings may.")
    infos: int = strawberry.field(description="How many findings cannot.")
    ignored: int = strawberry.field(description="How many findings the policy left out.")
    proposed_number: str = strawberry.field(description="The smallest number that would do.")
    refused: bool = strawberry.field(description="Whether it refused the version.")

    @strawberry.field
    async def follows(
        self, info: Info
    ) -> Annotated["ApiVersion", strawberry.lazy("controlplane.graphql.version")] | None:
        """Return the version that it was compared with."""
        from controlplane.graphql.version import VERSION  # noqa: PLC0415  # it needs this module

        return await one(info, VERSION, self.followed_key)

    @strawberry.field
    async def found(self, info: Info) -> ContractFindings | None:
        """Return what it found and counted; kept for ever."""
        store = info.context.app.services.store
        body = await store.document(bytes.fromhex(self.findings_sha256))
        return None if body is None else await findings_of(body)


def gate_of(organization_id: object, gate: str | None) -> GateResult | None:
    """Return what the gate said, of a column of a read model."""
    if gate is None:
        return None
    said: dict[str, Any] = orjson.loads(gate)
    return GateResult(
        followed_key=(organization_id, said["follows_id"]),
        findings_sha256=said["findings_sha256"],
        follows_number=said["follows_number"],
        errors=said["errors"],
        warnings=said["warnings"],
        infos=said["infos"],
        ignored=said["ignored"],
        proposed_number=said["proposed"],
        refused=said["refused"],
    )


@strawberry.type
class ReviewStep(Node):
    """One thing that happened to a version in its review; only the provider sees it."""

    step: ReviewStepKind = strawberry.field(description="What happened.")
    comment: str = strawberry.field(description="What was said; may be empty.")
    actor: str = strawberry.field(description="The id under which the audit trail knows who.")
    at: datetime = strawberry.field(description="When.")
    gate: GateResult | None = strawberry.field(
        description="What the gate said then; null where it was not asked, or nothing was followed."
    )


@strawberry.type
class ReviewStepConnection(Connection[ReviewStep]):
    """Steps of a review, first to last."""


@strawberry.type
class ContractRevision(Node):
    """A contract that a version keeps or kept; the first one has the number 0."""

    said_by_gate: strawberry.Private[str | None]
    number: int = strawberry.field(description="Counts the corrections of the contract.")
    contract_sha256: str = strawberry.field(description="The hash of the document, as hex.")
    contract_bytes: Count = strawberry.field(description="The size of the document.")
    at: datetime = strawberry.field(description="When it became the contract.")

    @strawberry.field
    def gate(self, info: Info) -> GateResult | None:
        """Return what it changed, null for a draft; and for all but the provider."""
        if not visibility.is_provider(info.context.caller):
            return None
        return gate_of(self.key[0], self.said_by_gate)


@strawberry.type
class ContractRevisionConnection(Connection[ContractRevision]):
    """Contracts of a version, first to last."""


def _revision(row: Record) -> ContractRevision:
    return ContractRevision(
        key=(row["organization_id"], row["version_id"], row["number"]),
        said_by_gate=row["gate"],
        number=row["number"],
        contract_sha256=row["contract_sha256"],
        contract_bytes=row["contract_bytes"],
        at=row["at"],
    )


def _step(row: Record) -> ReviewStep:
    return ReviewStep(
        key=(row["organization_id"], row["version_id"], row["number"]),
        step=ReviewStepKind(row["step"]),
        comment=row["comment"],
        actor=row["actor"],
        at=row["at"],
        gate=gate_of(row["organization_id"], row["gate"]),
    )


REVIEW_STEP = Kind(
    "ReviewStep",
    "review_step",
    visibility.reviews,
    "version:review",
    _step,
    key=(ORGANIZATION, Column("n.version_id", "uuid"), Column("n.number", "bigint")),
)
OF_VERSION: Listing[ReviewStep] = Listing(
    REVIEW_STEP,
    ReviewStepConnection,
    parents=(ORGANIZATION, Column("n.version_id", "uuid")),
    orders={"NUMBER": (Column("n.number", "bigint"),)},
)
REVISION = Kind(
    "ContractRevision",
    "contract_revision",
    visibility.in_versions,
    "catalogue:read",
    _revision,
    key=(ORGANIZATION, Column("n.version_id", "uuid"), Column("n.number", "bigint")),
)
REVISIONS_OF_VERSION: Listing[ContractRevision] = Listing(
    REVISION,
    ContractRevisionConnection,
    parents=(ORGANIZATION, Column("n.version_id", "uuid")),
    orders={"NUMBER": (Column("n.number", "bigint"),)},
)
