import json
from datetime import timedelta
from uuid import UUID

from domain.gateway import Gateway
from domain.gateway_group import GatewayGroup
from projections import gateway
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

GROUP, GATEWAY, PRODUCT = UUID(int=1), UUID(int=2), UUID(int=3)


def test_groups_and_gateways_are_rows_of_their_own() -> None:
    group = GatewayGroup.open(
        GROUP, slug="edge", environment="live", product_ids=[PRODUCT], at=AT, why=WHY
    )
    registered = Gateway.register(GATEWAY, group_id=GROUP, name="edge-1", at=AT, why=WHY)
    assert folded(gateway, group, registered) == {
        ("gateway_group", ACE, GROUP): {
            "slug": "edge",
            "environment": "live",
            "product_ids": json.dumps([str(PRODUCT)]),
            "version": 1,
            "created_at": AT,
            "position": 1,
            "confirmed_epoch": 0,
            "held_back": "[]",
        },
        ("gateway", ACE, GATEWAY): {
            "group_id": GROUP,
            "name": "edge-1",
            "version": 1,
            "created_at": AT,
        },
    }


def test_a_row_says_since_when_a_gateway_is_unwell_or_out_of_service() -> None:
    later = AT + timedelta(hours=1)
    gone = Gateway.register(GATEWAY, group_id=GROUP, name="edge-1", at=AT, why=WHY)
    gone.note(silent_since=AT, diverged_at="1.7", content_hash="a" * 64, at=later, why=WHY)
    row = folded(gateway, gone)["gateway", ACE, GATEWAY]
    assert (row["stale_since"], row["diverged_since"]) == (AT, later)

    gone.drain(at=later, why=WHY)
    row = folded(gateway, gone)["gateway", ACE, GATEWAY]
    assert (row["stale_since"], row["diverged_since"], row["drained_at"]) == (None, None, later)

    gone.reinstate(at=later, why=WHY)
    gone.note(silent_since=AT, diverged_at="1.7", content_hash="a" * 64, at=later, why=WHY)
    gone.note(silent_since=None, diverged_at=None, content_hash="", at=later, why=WHY)
    row = folded(gateway, gone)["gateway", ACE, GATEWAY]
    assert (row["stale_since"], row["diverged_since"], row["drained_at"]) == (None, None, None)
