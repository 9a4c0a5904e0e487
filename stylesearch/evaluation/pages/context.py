"""What every section needs: the study, where its charts go, and the words that captions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.evaluation.leading import best_runs, leading_k
from stylesearch.evaluation.pages.html import Html, element
from stylesearch.evaluation.pages.pictures import PictureFolder
from stylesearch.evaluation.results import Run, Study
from stylesearch.evaluation.tables import searched_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.sample import Features

__all__ = ["CHARTS", "Context"]

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
        """Of each method's colour, the same in every chart."""
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
        from stylesearch.evaluation.charts.style import save_figure

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
