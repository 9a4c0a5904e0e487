"""The context of the report's sections: the study, the folder, and sentences that captions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.evaluation.report.chart_selection import axis_top, best_runs, chart_k
from stylesearch.evaluation.report.images import ImageFolder
from stylesearch.evaluation.report.page import Chart
from stylesearch.evaluation.results import Run, Study
from stylesearch.evaluation.results_files import searched_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.sample import Features

__all__ = ["CHARTS", "ReportContext"]

CHARTS: Final = "charts"
"""Name of the charts' folder within the report."""


@dataclass
class ReportContext:
    """A report that is being written.

    Attributes:
        study: the study.
        folder: folder of the report.
        features: features of sampled images, for maps; may be empty.
        comparison: comparison with a baseline, if there is one.
        n_figures: number of charts so far.
        images: writes thumbnails and sheets.
    """

    study: Study
    folder: Path
    features: Features
    comparison: Comparison | None
    n_figures: int = 0
    images: ImageFolder = field(init=False)

    def __post_init__(self) -> None:
        self.images = ImageFolder(self.folder)

    @cached_property
    def k(self) -> int:
        """The k of the score that charts show."""
        return chart_k(self.study)

    @property
    def score(self) -> str:
        """Name of the score that charts show."""
        return f"top-{self.k}"

    @cached_property
    def best_runs(self) -> Mapping[str, Run]:
        """The run of each method with its best metric, by the method's label."""
        return best_runs(self.study)

    @property
    def color_numbers(self) -> dict[str, int]:
        """Number of each method's color, the same in every chart."""
        return {label: number for number, label in enumerate(self.study.settings.methods)}

    @cached_property
    def axis_top(self) -> float:
        """End of the axes of that score, from 0 to 1."""
        return axis_top(self.study)

    @property
    def search_note(self) -> str:
        """Sentence at the top of a section that says what was searched with what."""
        return searched_in(self.study)

    @property
    def interval_note(self) -> str:
        """Sentence that explains the intervals beside the dots."""
        return f"Lines: {100 * self.study.settings.confidence:g} % bootstrap intervals over queries."

    def chart(self, figure: Figure, name: str, caption: str, alt: str) -> Chart:
        """Saves a chart as PNG and SVG and numbers it.

        Args:
            figure: the chart.
            name: name of its files, after the number.
            caption: caption below it; says what was searched in what.
            alt: alternative text.
        """
        from stylesearch.evaluation.report.charts.style import save_figure

        self.n_figures += 1
        file = f"figure-{self.n_figures:02}-{name}"
        save_figure(figure, self.folder / CHARTS, file)
        return Chart(self.n_figures, f"{CHARTS}/{file}", caption, alt)
