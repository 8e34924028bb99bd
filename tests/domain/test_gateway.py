from uuid import UUID

import pytest

from domain.gateway import Gateway
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
