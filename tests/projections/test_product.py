import json
from datetime import timedelta
from uuid import UUID

from domain.api_product import ApiProduct
from domain.api_version import ApiVersion, Upstream
from domain.audience import Visibility
from domain.contract.read import read_contract
from projections import product
from tests.given import ACE, AT, PETSTORE, WHY
from tests.projections.folded import folded

PRODUCT, VERSION = UUID(int=1), UUID(int=2)
LATER = AT + timedelta(days=1)


def test_a_product_is_one_row_that_becomes_published() -> None:
    pets = ApiProduct.define(
        PRODUCT,
        slug="pets",
        name="Pets",
        description="All of them",
        visibility=Visibility.PUBLIC,
        at=AT,
        why=WHY,
    )
    row = {
        "slug": "pets",
        "name": "Pets",
        "description": "All of them",
        "visibility": "PUBLIC",
        "team_ids": "[]",
        "tags": "[]",
        "owner": "",
        "state": "DRAFT",
        "listed": False,
        "version": 1,
        "created_at": AT,
        "changed_at": AT,
    }
    assert folded(product, pets) == {("product", ACE, PRODUCT): row}
    pets.publish(at=LATER, why=WHY)
    published = row | {"state": "PUBLISHED", "listed": True, "version": 2, "changed_at": LATER}
    assert folded(product, pets) == {("product", ACE, PRODUCT): published}


def test_upstreams_are_as_they_were_chosen_last() -> None:
    version = ApiVersion.define(
        VERSION,
        product_id=PRODUCT,
        number="1.0.0",
        contract=read_contract(PETSTORE),
        contract_sha256="f" * 64,
        contract_bytes=len(PETSTORE),
        upstreams=[Upstream("live", "https://one.example"), Upstream("old", "https://x.example")],
        at=AT,
        why=WHY,
    )
    version.choose_upstream("live", "https://two.example", at=AT, why=WHY)
    version.choose_upstream("new", "https://new.example", at=AT, why=WHY)
    version.withdraw_upstream("old", at=AT, why=WHY)

    upstreams = folded(product, version)[("api_version", ACE, VERSION)]["upstreams"]
    assert json.loads(str(upstreams)) == [
        {"environment": "live", "url": "https://two.example"},
        {"environment": "new", "url": "https://new.example"},
    ]


def test_a_version_is_one_row_and_one_for_each_operation() -> None:
    version = ApiVersion.define(
        VERSION,
        product_id=PRODUCT,
        number="1.0.0",
        contract=read_contract(PETSTORE),
        contract_sha256="f" * 64,
        contract_bytes=len(PETSTORE),
        upstreams=[Upstream("live", "https://pets.example")],
        at=AT,
        why=WHY,
    )
    version.publish(at=LATER, why=WHY)
    rows = folded(product, version)
    row = rows.pop(("api_version", ACE, VERSION))
    upstreams = json.loads(str(row.pop("upstreams")))
    assert upstreams == [{"environment": "live", "url": "https://pets.example"}]
    assert row == {
        "product_id": PRODUCT,
        "number": "1.0.0",
        "contract_kind": "OPENAPI_3_1",
        "contract_sha256": "f" * 64,
        "contract_bytes": len(PETSTORE),
        "title": "Pets",
        "description": "",
        "operations": 3,
        "revision": 0,
        "state": "PUBLISHED",
        "listed": True,
        "api": "default",
        "link": "",
        "version": 2,
        "created_at": AT,
        "changed_at": LATER,
    }
    assert list(rows) == [("operation", ACE, VERSION, ordinal) for ordinal in (1, 2, 3)]
    assert rows["operation", ACE, VERSION, 3] == {
        "operation_id": "GET /pets/{id}",
        "method": "GET",
        "path": "/pets/{id}",
        "name": "getPet",
        "summary": "",
        "deprecated": False,
        "tags": "[]",
    }


def test_a_product_is_described_tagged_owned_and_shown_to_teams() -> None:
    pets = ApiProduct.define(
        PRODUCT,
        slug="pets",
        name="Pets",
        description="",
        visibility=Visibility.TEAMS,
        team_ids=[VERSION],
        at=AT,
        why=WHY,
    )
    pets.describe(name="Animals", description="All", at=AT, why=WHY)
    pets.tag(["zoo"], at=AT, why=WHY)
    pets.name_owner("Unit 7", at=AT, why=WHY)
    row = folded(product, pets)["product", ACE, PRODUCT]
    assert (row["name"], row["description"], row["owner"]) == ("Animals", "All", "Unit 7")
    assert (row["tags"], row["visibility"]) == ('["zoo"]', "TEAMS")
    assert row["team_ids"] == f'["{VERSION}"]'
