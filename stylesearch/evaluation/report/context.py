"""What every section needs: the study, where its charts go, and the words that captions share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.errors import ImageError, MissingDependency
from stylesearch.evaluation.report.html import Html, element
from stylesearch.evaluation.results import Picture, Run, Study
from stylesearch.evaluation.results_files import searched_in
from stylesearch.extractors.classical.feature import WHITE_BOXES
from stylesearch.files import atomic_file
from stylesearch.images.contact_sheet import SheetEntry, contact_sheet
from stylesearch.images.decode import decode
from stylesearch.images.regions import OVERSAMPLING, crop, letterbox
from stylesearch.types import Box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.sample import Features


__all__ = [
    "CHARTS",
    "FOLDER",
    "Context",
    "PictureFolder",
    "best_runs",
    "is_white_box",
    "leading_k",
    "ranking_key",
]

# Which of a study's many scores and runs its charts show.

_K_OF_THE_SEED: Final = 20
_MOST_BY_CHANCE: Final = 0.05


def leading_k(study: Study) -> int:
    """The k of the top-k accuracy that charts show.

    That is the largest k asked for, up to the seed's 20, by which chance would find at most 5 % of the
    products; the smallest asked for where there is none such. Among 60 products nearly everything is found in
    the first 20: that tells methods no longer apart.
    """
    most = min(_K_OF_THE_SEED, int(_MOST_BY_CHANCE * study.gallery.n_products))
    return max((k for k in study.settings.ks if k <= most), default=study.settings.ks[0])


def ranking_key(run: Run, k: int) -> tuple[float, float]:
    """Higher is better: the top-k accuracy over all queries, then the mean reciprocal rank."""
    return run.micro.values[f"top-{k}"].value, run.micro.values["MRR"].value


def best_runs(study: Study) -> dict[str, Run]:
    """Of each method the run with the metric that suits it best, in the order of the methods."""
    k = leading_k(study)
    found: dict[str, Run] = {}
    for label in study.settings.methods:
        runs = [run for run in study.runs if run.method == label]
        found[label] = max(runs, key=lambda run: ranking_key(run, k))
    return found


def is_white_box(study: Study, label: str) -> bool:
    """Whether a method's extractor is one of the white-box features, not a network."""
    return any(one.label == label and one.extractor in WHITE_BOXES for one in study.methods)


# Small pictures beside the page, by content: a picture that is shown twice is written once.

FOLDER: Final = "pictures"
_QUALITY: Final = 85
_SIDE: Final = 320
_PHOTO_SIDE: Final = 960


class PictureFolder:
    """Thumbnails and sheets of one report.

    Args:
        report: the report's folder.
    """

    def __init__(self, report: Path) -> None:
        self._report = report
        self.unreadable: set[str] = set()
        """Paths of pictures that could not be shown; the files may have gone since the study."""

    def pixels(self, picture: Picture, side: int, *, boxed: bool = False) -> npt.NDArray[np.uint8] | None:
        """A picture, or its box, in a white square, uint8 (side, side, 3); None if it is gone."""
        try:
            if boxed and picture.box is not None:
                return crop(decode(picture.path), picture.box, side)
            decoded = decode(picture.path, reduce_to=math.ceil(side * OVERSAMPLING))
        except (ImageError, MissingDependency, OSError):
            self.unreadable.add(picture.path)
            return None
        return letterbox(decoded.pixels, side)

    def thumbnail(self, picture: Picture, alt: str) -> Html:
        """An ``img`` of a picture, or a box that says why there is none."""
        name = f"{FOLDER}/{picture.sha256[:24]}.jpg"
        if not (self._report / name).exists():
            pixels = self.pixels(picture, _SIDE)
            if pixels is None:
                return element("div", "the picture can no longer be read", class_="missing")
            self._save(Image.fromarray(pixels), name)
        return element("img", src=name, alt=alt, loading="lazy", width=str(_SIDE), height=str(_SIDE))

    def sheet(
        self,
        query: Picture,
        entries: list[SheetEntry],
        name: str,
        *,
        title: str,
        subtitle: str,
        outlined: Callable[[tuple[int, int]], list[Box]],
    ) -> str | None:
        """Draws a contact sheet.

        Args:
            query: shown on the left.
            entries: the hits.
            name: of the file, without its ending.
            title, subtitle: above it.
            outlined: boxes on a photo of that width and height.

        Returns:
            its path within the report, or None if the query can no longer be read.
        """
        try:
            photo = decode(query.path, reduce_to=_PHOTO_SIDE)
            boxes = outlined((photo.width, photo.height))
            page = contact_sheet(photo, entries, boxes=boxes, title=title, subtitle=subtitle)
        except (ImageError, MissingDependency, OSError):
            self.unreadable.add(query.path)
            return None
        path = f"{FOLDER}/{name}.jpg"
        self._save(page, path)
        return path

    def _save(self, image: Image.Image, name: str) -> None:
        with atomic_file(self._report / name) as file:
            image.save(file, "JPEG", quality=_QUALITY, optimize=True)


CHARTS: Final = "charts"
_AXIS_TOPS: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass
class Context:
    """One report in the making.

    Attributes:
        study: what it is of.
        folder: of the report.
        features: of sampled pictures, for maps; empty if there are none at hand.
        comparison: with a baseline, if there is one.
        n_figures: how many there are so far.
    """

    study: Study
    folder: Path
    features: Features
    comparison: Comparison | None
    n_figures: int = 0
    pictures: PictureFolder = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = PictureFolder(self.folder)

    @property
    def score(self) -> str:
        """The score that charts show."""
        return f"top-{self.k}"

    @property
    def k(self) -> int:
        """Of that score."""
        return leading_k(self.study)

    @property
    def best(self) -> Mapping[str, Run]:
        """Of each method the run with its best metric."""
        return best_runs(self.study)

    @property
    def numbers(self) -> dict[str, int]:
        """Of each method's color, the same in every chart."""
        return {label: number for number, label in enumerate(self.study.settings.methods)}

    @property
    def axis_top(self) -> float:
        """Where the axes of that score end: the same in all charts, no farther than intervals reach."""
        highest = max(
            scores.values[self.score].high
            for run in self.study.runs
            for scores in (*run.categories, run.macro, run.micro)
        )
        return min((top for top in _AXIS_TOPS if top >= highest), default=1.0)

    @property
    def searched(self) -> str:
        """What was searched with what: a sentence of every caption."""
        return searched_in(self.study)

    @property
    def intervals(self) -> str:
        """What the lines beside the dots are."""
        settings = self.study.settings
        return f"Lines: {100 * settings.confidence:g} % bootstrap intervals over queries."

    def chart(self, figure: Figure, name: str, caption: str, alt: str) -> Html:
        """Saves a chart as PNG and SVG and puts it into the page, numbered.

        Args:
            figure: the chart.
            name: of its files, behind the number.
            caption: below it; says what was searched in what.
            alt: what one would see.
        """
        from stylesearch.evaluation.report.charts.style import save_figure

        self.n_figures += 1
        file = f"figure-{self.n_figures:02}-{name}"
        save_figure(figure, self.folder / CHARTS, file)
        return element(
            "figure",
            element("img", src=f"{CHARTS}/{file}.svg", alt=alt),
            element(
                "figcaption",
                element("b", f"Figure {self.n_figures}."),
                f" {caption} ",
                element("a", "PNG", href=f"{CHARTS}/{file}.png"),
                ", ",
                element("a", "SVG", href=f"{CHARTS}/{file}.svg"),
            ),
            class_="chart",
        )
