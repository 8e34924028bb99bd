from uuid import UUID

import pytest

from domain.page import (
    SOURCE_CHARS,
    Page,
    PageNotWithdrawnError,
    PageSourceInvalidError,
    PageWithdrawnError,
)
from tests.given import AT, WHY

ID, PRODUCT = UUID(int=1), UUID(int=2)


def written(source: str = "# Hello") -> Page:
    return Page.write(
        ID, product_id=PRODUCT, slug="start", title="Start", source=source, at=AT, why=WHY
    )


def test_each_writing_of_a_page_is_its_next_version() -> None:
    page = written()
    for number in (2, 3):
        page.rewrite(title="New", source="new", at=AT, why=WHY)
        assert page.pending_events[-1] == Page.Rewritten(ID, number, AT, WHY, number, "New", "new")


def test_a_withdrawn_page_is_restored_before_it_is_written_anew() -> None:
    page = written()
    with pytest.raises(PageNotWithdrawnError):
        page.restore(at=AT, why=WHY)
    page.withdraw(at=AT, why=WHY)
    with pytest.raises(PageWithdrawnError):
        page.withdraw(at=AT, why=WHY)
    with pytest.raises(PageWithdrawnError):
        page.rewrite(title="New", source="new", at=AT, why=WHY)
    page.restore(at=AT, why=WHY)
    page.rewrite(title="New", source="new", at=AT, why=WHY)
    assert page.page_version == 2


def test_a_page_is_bounded_and_can_be_stored() -> None:
    assert written("x" * SOURCE_CHARS).version == 1
    for source in ("x" * (SOURCE_CHARS + 1), "a\0b", "\ud800"):
        with pytest.raises(PageSourceInvalidError) as refused:
            written(source)
        assert refused.value.about == "source"
