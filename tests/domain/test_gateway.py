from uuid import UUID

import pytest

from domain.gateway import (
    Gateway,
    GatewayAsKnownError,
    GatewayDrainedError,
    GatewayNotDrainedError,
    GatewayState,
    effective,
)
from domain.text import LabelInvalidError
from tests.given import AT, WHY

ID, GROUP = UUID(int=1), UUID(int=2)


def test_a_gateway_belongs_to_its_group() -> None:
    gateway = Gateway.register(ID, group_id=GROUP, name="edge-1", at=AT, why=WHY)
    assert gateway.pending_events == [
        Gateway.Registered(ID, 1, AT, "gateway", WHY, GROUP, "edge-1")
    ]
    assert gateway.group_id == GROUP


def test_a_gateway_has_a_name() -> None:
    with pytest.raises(LabelInvalidError):
        Gateway.register(ID, group_id=GROUP, name=" ", at=AT, why=WHY)


def noted(gateway: Gateway, *, silent: bool = False, cursor: str | None = None) -> list[str]:
    """Return what happens when this is seen of a gateway."""
    before = len(gateway.happened)
    gateway.note(
        silent_since=AT if silent else None,
        diverged_at=cursor,
        content_hash="a" * 64,
        at=AT,
        why=WHY,
    )
    return [event.TOPIC.partition(".")[2] for event in gateway.happened[before:]]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway.register(ID, group_id=GROUP, name="edge-1", at=AT, why=WHY)


def test_a_gateway_goes_stale_and_returns_once_each(gateway: Gateway) -> None:
    assert noted(gateway, silent=True) == ["staled"]
    with pytest.raises(GatewayAsKnownError):
        noted(gateway, silent=True)
    assert noted(gateway) == ["returned"]
    with pytest.raises(GatewayAsKnownError):
        noted(gateway)


def test_a_gateway_diverges_and_converges_beside_that(gateway: Gateway) -> None:
    assert noted(gateway, silent=True, cursor="1.7") == ["staled", "diverged"]
    assert noted(gateway, silent=True) == ["converged"]
    assert noted(gateway, cursor="1.8") == ["returned", "diverged"]
    with pytest.raises(GatewayAsKnownError):
        noted(gateway, cursor="1.9")


def test_a_drained_gateway_is_missed_by_nobody_until_it_is_reinstated(gateway: Gateway) -> None:
    noted(gateway, silent=True, cursor="1.7")
    gateway.drain(at=AT, why=WHY)
    with pytest.raises(GatewayDrainedError):
        noted(gateway)
    with pytest.raises(GatewayDrainedError):
        gateway.drain(at=AT, why=WHY)
    gateway.reinstate(at=AT, why=WHY)
    with pytest.raises(GatewayNotDrainedError):
        gateway.reinstate(at=AT, why=WHY)
    assert noted(gateway, silent=True) == ["staled"]


@pytest.mark.parametrize(
    ("drained", "silent_s", "state"),
    [
        (False, None, GatewayState.REGISTERED),
        (False, 0.0, GatewayState.CONNECTED),
        (False, 60.0, GatewayState.CONNECTED),
        (False, 60.1, GatewayState.STALE),
        (True, 0.0, GatewayState.DRAINED),
        (True, None, GatewayState.DRAINED),
    ],
)
def test_what_a_gateway_is_depends_on_when_it_was_heard(
    drained: bool,  # noqa: FBT001  # a column of the table
    silent_s: float | None,
    state: GatewayState,
) -> None:
    assert effective(drained=drained, silent_s=silent_s, stale_s=60) is state
