"""What people write is shown as text and marks, and never as a program."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.markdown import html_of
from domain.page import SOURCE_CHARS


def test_marks_tables_and_links_are_rendered() -> None:
    html = html_of("# A\n\n- *b*\n\n| c |\n|---|\n| ~~d~~ |\n\n```json\n{}\n```\n[e](/f)")
    for part in (
        "<h1>A</h1>",
        "<em>b</em>",
        "<td><s>d</s></td>",
        '<code class="language-json">',
        '<a href="/f" rel="noopener noreferrer nofollow">e</a>',
    ):
        assert part in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "<style>*{}</style><iframe src=//x></iframe>",
        '[x](http://a "onmouseover=alert(1)")',
        "<a href='jav&#x09;ascript:alert(1)'>x</a>",
        "[x]: javascript:alert(1)\n\n[x]",
    ],
)
def test_nothing_in_a_page_runs(hostile: str) -> None:
    html = html_of(hostile)
    for tag in (
        "<script",
        "<style",
        "<iframe",
        "<img src=x",
        'href="java',
        'href="vb',
        'src="data',
    ):
        assert tag not in html


@given(st.text(alphabet="<>&\"'[]()!*_`#|~\\-=+:/ \n\tabjs.x1", max_size=200))
def test_no_text_makes_another_element_or_attribute(source: str) -> None:
    html = html_of(source)
    assert "<script" not in html
    assert "<style" not in html
    assert 'href="javascript' not in html


@pytest.mark.parametrize(
    "bomb", ["[", "*a ", "> ", "`", "![", "a|", "<", "\\", "- ", "_a_ **b", "[a](", "&"]
)
def test_the_largest_page_is_rendered_within_seconds(bomb: str) -> None:
    began = time.perf_counter()
    html_of((bomb * SOURCE_CHARS)[:SOURCE_CHARS])
    assert time.perf_counter() - began < 20
