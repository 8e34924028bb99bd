"""Markdown as HTML that is safe to show: no raw HTML, no script, no address but of the web."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

RENDERED = 256
"""Pages of which the HTML is kept; 256 of the largest take about 50 MB."""
NESTING = 20
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
}
_SCHEMES = {"http", "https", "mailto"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING})
_MARKDOWN.enable(["table", "strikethrough"])


@lru_cache(RENDERED)
def html_of(source: str) -> str:
    """Return Markdown (CommonMark, tables, strikethrough) as HTML.

    Raw HTML in it is shown as text. What is made is sanitised once more, so that a fault of the
    renderer is not one of ours; a relative address stays relative.
    """
    return nh3.clean(
        _MARKDOWN.render(source),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
