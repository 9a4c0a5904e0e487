"""HTML elements as strings: what is not an element already is escaped, so nothing can be forgotten."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Html",
    "Section",
    "document",
    "element",
    "joined",
    "paragraphs",
    "table",
]

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


# The page around the sections: its head, its styles, its table of contents.

_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; color: #1a1a1c; background: #fff; line-height: 1.5; overflow-wrap: break-word;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header { max-width: 46rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid #d9d9d5; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; }
ul { padding-left: 1.2rem; margin: .5rem 0; }
a { color: #00568a; }
code { font-size: .9em; background: #f2f2ef; padding: 0 .2em; border-radius: 3px; }
.lead { font-size: 1.1rem; }
.faint, figcaption, caption { color: #5b5b60; font-size: .875rem; line-height: 1.45; }
nav ul { columns: 2; column-gap: 2rem; list-style: none; padding: 0; font-size: .95rem; }
nav li { break-inside: avoid; padding: .15rem 0; }
figure { margin: 1rem 0 1.75rem; }
figure img { display: block; width: 100%; height: auto; }
figure.chart img { max-width: 40rem; }
figcaption { margin-top: .4rem; }
.scroll { overflow-x: auto; margin: .75rem 0 1.5rem; }
.scroll img { min-width: 40rem; width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; caption-side: top; padding-bottom: .4rem; position: sticky; left: 0;
  max-width: min(44rem, calc(100vw - 3.5rem)); width: max-content; white-space: normal; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; white-space: nowrap; vertical-align: top;
  border-bottom: 1px solid #e8e8e4; font-weight: normal; }
thead th { color: #5b5b60; border-bottom-color: #9a9a96; vertical-align: bottom; }
.figure { text-align: right; padding-left: .5rem; }
tr.strong th, tr.strong td { font-weight: 600; }
.wide th, .wide td { white-space: normal; min-width: 7rem; }
.wide td:nth-child(4) { min-width: 15rem; }
.wide .figure { min-width: 3.5rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; padding: .25rem 0; }
.card { border-top: 1px solid #e8e8e4; padding: .75rem 0; }
.card h3 { margin: 0 0 .35rem; }
.thumbs { display: grid; grid-template-columns: repeat(3, minmax(0, 11rem)); gap: .6rem; }
.thumbs figure { margin: 0; }
.thumbs img { border-radius: 4px; border: 1px solid #e8e8e4; }
.missing { aspect-ratio: 1; background: #f2f2ef; color: #5b5b60; font-size: .8rem; display: grid;
  place-items: center; text-align: center; border-radius: 4px; padding: .5rem; }
@media (max-width: 30rem) { nav ul { columns: 1; } h1 { font-size: 1.4rem; } }
@media print { .scroll { overflow: visible; } }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: its id in the page.
        heading: as in the table of contents.
        body: below the heading.
    """

    anchor: str
    heading: str
    body: Html


def document(title: str, introduction: Html, sections: Sequence[Section]) -> str:
    """The whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Strings from the catalog are escaped; should one slip through, it could still not do anything.
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'",
        ),
        element("title", title),
        element("style", Html(_STYLE)),
    )
    contents = element(
        "nav",
        element(
            "ul",
            *(element("li", element("a", one.heading, href=f"#{one.anchor}")) for one in sections),
        ),
        aria_label="Contents",
    )
    body = element(
        "body",
        element("header", element("h1", title), introduction, contents),
        element(
            "main",
            *(element("section", element("h2", one.heading, id=one.anchor), one.body) for one in sections),
        ),
    )
    return joined([Html("<!DOCTYPE html>\n"), element("html", head, body, lang="en"), Html("\n")])
