from uuid import UUID

import pytest

from domain.api_product import ApiProduct, ProductNotDraftError
from domain.audience import Visibility
from domain.text import LabelInvalidError, ProseInvalidError, SlugInvalidError
from tests.given import AT, WHY

ID = UUID(int=1)


def draft(
    *, slug: str = "pets", name: str = "Pets", description: str = "Of all kinds"
) -> ApiProduct:
    return ApiProduct.define(
        ID,
        slug=slug,
        name=name,
        description=description,
        visibility=Visibility.PUBLIC,
        at=AT,
        why=WHY,
    )


def test_a_product_begins_as_a_draft() -> None:
    (defined,) = draft(name=" Pets ").pending_events
    assert defined == ApiProduct.Defined(
        ID, 1, AT, "api_product", WHY, "pets", "Pets", "Of all kinds", "PUBLIC"
    )


def test_a_draft_product_can_be_published() -> None:
    product = draft()
    product.publish(at=AT, why=WHY)
    assert product.pending_events[-1] == ApiProduct.Published(ID, 2, AT, WHY)


def test_a_published_product_cannot_be_published_again() -> None:
    product = draft()
    product.publish(at=AT, why=WHY)
    with pytest.raises(ProductNotDraftError):
        product.publish(at=AT, why=WHY)


def test_a_product_is_described_in_words_that_can_be_shown() -> None:
    with pytest.raises(SlugInvalidError):
        draft(slug="-pets")
    with pytest.raises(LabelInvalidError):
        draft(name="")
    with pytest.raises(ProseInvalidError):
        draft(description="\0")
