"""HTML elements as strings: what is not an element already is escaped, so nothing can be forgotten."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["Html", "element", "joined", "paragraphs", "table"]

_VOID = {"img", "meta", "link", "br"}


class Html(str):
    """Text that is HTML; made by the functions here only."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """An element; children that are not :class:`Html` are escaped, as are attributes.

    Args:
        tag: its name.
        children: text or elements.
        **attributes: ``class_`` for ``class``.

    Example:
        >>> element("p", "a < b", element("b", "!"), class_="note")
        '<p class="note">a &lt; b<b>!</b></p>'
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for name, value in attributes.items()
    )
    if tag in _VOID:
        return Html(f"<{tag}{pairs}>")
    return Html(f"<{tag}{pairs}>{joined(children)}</{tag}>")


def joined(children: Iterable[str]) -> Html:
    """Elements, and texts escaped, one after the other."""
    return Html("".join(one if isinstance(one, Html) else html.escape(one) for one in children))


def paragraphs(texts: Iterable[str], class_: str = "") -> Html:
    """A paragraph a text."""
    attributes = {"class_": class_} if class_ else {}
    return joined(element("p", text, **attributes) for text in texts)


def table(
    caption: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    n_labels: int = 1,
    strong: Sequence[int] = (),
) -> Html:
    """A table that scrolls inside its own box where the screen is narrow.

    Args:
        caption: above it.
        headings: of the columns.
        rows: as many cells each.
        n_labels: columns at the left that name a row; all others are figures, aligned to the right.
        strong: numbers of rows to stand out.
    """
    head = element(
        "tr",
        *(element("th", one, scope="col", **_aligned(place, n_labels)) for place, one in enumerate(headings)),
    )
    body = []
    for number, row in enumerate(rows):
        cells = [
            element("th", cell, scope="row")
            if place == 0
            else element("td", cell, **_aligned(place, n_labels))
            for place, cell in enumerate(row)
        ]
        body.append(element("tr", *cells, **({"class_": "strong"} if number in strong else {})))
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _aligned(place: int, n_labels: int) -> dict[str, str]:
    return {"class_": "figure"} if place >= n_labels else {}
