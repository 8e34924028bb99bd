from uuid import UUID

import pytest

from domain.gateway_group import PRODUCTS, GatewayGroup, GroupProductsInvalidError
from domain.text import SlugInvalidError
from tests.given import AT, WHY

ID, PRODUCT = UUID(int=1), UUID(int=2)


def opened(
    product_ids: list[UUID], *, slug: str = "edge", environment: str = "live"
) -> GatewayGroup:
    return GatewayGroup.open(
        ID, slug=slug, environment=environment, product_ids=product_ids, at=AT, why=WHY
    )


@pytest.mark.parametrize(
    "product_ids", [[], [PRODUCT], [UUID(int=n) for n in range(PRODUCTS)]], ids=len
)
def test_a_group_serves_the_products_it_names_or_all(product_ids: list[UUID]) -> None:
    assert opened(product_ids).pending_events == [
        GatewayGroup.Opened(ID, 1, AT, "gateway_group", WHY, "edge", "live", product_ids)
    ]


@pytest.mark.parametrize(
    "product_ids", [[PRODUCT, PRODUCT], [UUID(int=n) for n in range(PRODUCTS + 1)]], ids=len
)
def test_a_group_names_each_of_at_most_a_thousand_products_once(product_ids: list[UUID]) -> None:
    with pytest.raises(GroupProductsInvalidError) as refused:
        opened(product_ids)
    assert refused.value.about == "product_ids"


def test_a_group_has_a_slug_and_an_environment() -> None:
    with pytest.raises(SlugInvalidError) as slug:
        opened([], slug="E")
    with pytest.raises(SlugInvalidError) as environment:
        opened([], environment="")
    assert (slug.value.about, environment.value.about) == ("slug", "environment")
