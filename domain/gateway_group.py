"""A gateway group: gateways that enforce the same configuration."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why

PRODUCTS = 1_000
INTENTION_MAX = timedelta(days=7)


class GroupProductsInvalidError(DomainError):
    """A gateway group serves at most 1,000 named products, each once; none named means all."""


class EpochNotCurrentError(DomainError):
    """Only the epoch that is now can be confirmed."""


class EpochConfirmedError(DomainError):
    """The epoch is confirmed for this group already."""


class ConfigHeldBackError(DomainError):
    """It is held back already."""


class ConfigNotHeldBackError(DomainError):
    """Nothing of this group's configuration is held back."""


class IntentionInvalidError(DomainError):
    """A shrink is intended until an instant of the next 7 days, and for a reason."""


class GatewayGroup(Aggregate):
    """The gateways of one environment that serve the same products."""

    TOPIC = "gateway_group"

    def __init__(self) -> None:
        self.confirmed_epoch = 0
        self.held_back: dict[UUID, int] = {}

    @classmethod
    def open(
        cls,
        group_id: UUID,
        *,
        slug: str,
        environment: str,
        product_ids: list[UUID],
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a group that serves the products, or with an empty list all there will be.

        Raises SlugInvalidError, GroupProductsInvalidError.
        """
        if len(product_ids) > PRODUCTS or len(set(product_ids)) < len(product_ids):
            raise GroupProductsInvalidError("product_ids")
        return cls.begin(
            cls.Opened,
            group_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            environment=text.slug(environment, "environment"),
            product_ids=product_ids,
        )

    def confirm_epoch(self, epoch: int, *, current: int, at: datetime, why: Why) -> None:
        """Have gateways forget what other epochs took away: what this one says is all there is.

        Raises EpochNotCurrentError, EpochConfirmedError.
        """
        if epoch != current:
            raise EpochNotCurrentError("epoch")
        if epoch <= self.confirmed_epoch:
            raise EpochConfirmedError("epoch")
        self.emit(self.EpochConfirmed, at, why, epoch=epoch)

    def hold_back(
        self, product_id: UUID, *, position: int, rows: int, of_rows: int, at: datetime, why: Why
    ) -> None:
        """Note that the end of a product is not handed out: with it so many rows would go.

        Raises ConfigHeldBackError.
        """
        if self.held_back.get(product_id, -1) >= position:
            raise ConfigHeldBackError("product_id")
        self.emit(
            self.ConfigHeldBack,
            at,
            why,
            product_id=product_id,
            position=position,
            rows=rows,
            of_rows=of_rows,
        )

    def release_config(self, *, at: datetime, why: Why) -> None:
        """Hand out all that is held back. Raises ConfigNotHeldBackError."""
        if not self.held_back:
            raise ConfigNotHeldBackError
        self.emit(self.ConfigReleased, at, why, upto_position=max(self.held_back.values()))

    def intend_shrink(self, until: datetime, *, at: datetime, why: Why) -> None:
        """Have whatever ends until then be handed out at once. Raises IntentionInvalidError."""
        if not at < until <= at + INTENTION_MAX:
            raise IntentionInvalidError("until")
        if not why["reason"].strip():
            raise IntentionInvalidError("reason")
        self.emit(self.ConfigShrinkIntended, at, why, until=until)

    @dataclass(frozen=True)
    class Opened(First):
        """A platform engineer set a group up."""

        TOPIC = "gateway_group.opened"
        slug: str
        environment: str
        product_ids: list[UUID]

    @dataclass(frozen=True)
    class EpochConfirmed(Aggregate.Event):
        """Somebody looked at what a failover or restore had lost, and made it good."""

        TOPIC = "gateway_group.epoch_confirmed"
        epoch: int

        def apply(self, aggregate: "GatewayGroup") -> None:
            """Keep which."""
            aggregate.confirmed_epoch = self.epoch

    @dataclass(frozen=True)
    class ConfigHeldBack(Aggregate.Event):
        """The end of a product, at a position, would have taken too many rows at once."""

        TOPIC = "gateway_group.config_held_back"
        product_id: UUID
        position: int
        rows: int
        of_rows: int

        def apply(self, aggregate: "GatewayGroup") -> None:
            """Keep what is held back."""
            aggregate.held_back = {**aggregate.held_back, self.product_id: self.position}

    @dataclass(frozen=True)
    class ConfigReleased(Aggregate.Event):
        """What was held back was right."""

        TOPIC = "gateway_group.config_released"
        upto_position: int

        def apply(self, aggregate: "GatewayGroup") -> None:
            """Hold nothing back."""
            aggregate.held_back = {}

    @dataclass(frozen=True)
    class ConfigShrinkIntended(Aggregate.Event):
        """Somebody is about to take much away, and says so beforehand."""

        TOPIC = "gateway_group.config_shrink_intended"
        until: datetime
