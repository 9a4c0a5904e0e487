"""The blocks of the report's page, and their rendering as HTML with templates.

Sections hold plain text only; the templates escape all of it, so a name from the catalog is never HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

__all__ = [
    "Block",
    "Card",
    "Chart",
    "Details",
    "FileLinks",
    "Heading",
    "ItemList",
    "Paragraph",
    "Section",
    "Sheet",
    "Table",
    "Thumbnail",
    "render_page",
]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of text.

    Attributes:
        text: the text.
        style: class of the style sheet: ``lead``, ``faint`` or empty.
    """

    macro: ClassVar = "paragraph"
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below that of the section."""

    macro: ClassVar = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class ItemList:
    """A list with bullets."""

    macro: ClassVar = "item_list"
    items: Sequence[str]
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, which scrolls inside its own box where the screen is narrow.

    Attributes:
        caption: caption above it.
        headings: headings of the columns.
        rows: rows, each with as many cells.
        n_labels: number of columns at the left that name a row; the others are figures, aligned to the right.
        strong: numbers of rows that are highlighted.
        wraps: whether long cells are broken into lines.
    """

    macro: ClassVar = "table"
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_labels: int = 1
    strong: Sequence[int] = ()
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, numbered, with links to its files.

    Attributes:
        number: number of the figure.
        path: path of its files within the report, without ``.png`` and ``.svg``.
        caption: caption below it.
        alt: alternative text.
    """

    macro: ClassVar = "chart"
    number: int
    path: str
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet of a query and its hits.

    Attributes:
        path: path of the image within the report.
        alt: alternative text.
    """

    macro: ClassVar = "sheet"
    path: str
    alt: str


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small image with a caption.

    Attributes:
        path: path of the image within the report; None where the image can no longer be read.
        side: width and height in pixels.
        alt: alternative text.
        caption: caption below it.
    """

    path: str | None
    side: int
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Card:
    """Thumbnails side by side, with a heading above and a line below."""

    macro: ClassVar = "card"
    heading: str
    thumbnails: Sequence[Thumbnail]
    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """A table or a list that opens on a click."""

    macro: ClassVar = "details"
    summary: str
    content: Table | ItemList


@dataclass(frozen=True, slots=True)
class FileLinks:
    """Links to files beside the page.

    Attributes:
        text: text before the links.
        names: names of the files.
    """

    macro: ClassVar = "file_links"
    text: str
    names: Sequence[str]


Block: TypeAlias = Paragraph | Heading | ItemList | Table | Chart | Sheet | Card | Details | FileLinks
"""Parts of a section; ``macro`` names the macro of ``templates/blocks.html.jinja`` that lays it out."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: id in the page.
        heading: heading, also in the table of contents.
        blocks: blocks below the heading.
        note: paragraph before the blocks, for all of them; none where it is empty.
    """

    anchor: str
    heading: str
    blocks: Sequence[Block]
    note: str = ""


def render_page(title: str, introduction: Sequence[Block], sections: Sequence[Section]) -> str:
    """Renders the whole page as HTML; imports Jinja2."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def mark_code(text: str) -> Markup:
        """Escapes a text, and shows what stands between backticks as code."""
        return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))

    environment = Environment(
        loader=PackageLoader("stylesearch.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["mark_code"] = mark_code
    template = environment.get_template("page.html.jinja")
    return template.render(title=title, introduction=introduction, sections=sections)
