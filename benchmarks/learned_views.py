"""A distance learned from the views of a real shop's products, on styles it has never seen; five splits.

Needs the real photos that $STYLESEARCH_TEST_DATA names. 70 % of the styles to learn from (a fifth of these to
choose with), 30 % to test with; queries the other views of test styles, gallery all main views, product =
style, every photo searched whole; learned from whole photos, and from photos seen through regions. The bar:
in no score below the best untrained space by more than noise.
"""

from __future__ import annotations

import csv
import dataclasses
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table
from benchmarks.shops import real_photos
from stylesearch.csv_cells import ESCAPED_COLUMN, escape_cell

if TYPE_CHECKING:
    from stylesearch.evaluation.results import Run, Study
    from stylesearch.workspace.workspace import Workspace

N_SPLITS = 5
N_RESAMPLES = 5000
SCORES = ("top-1", "top-5", "top-10", "top-20", "mAP", "MRR")
VARIANTS = (("softmax", "whole"), ("softmax", "street"), ("bce", "whole"))

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Prints scores before and after with the mean change over the splits, and a line for each split."""
    import stylesearch

    photos = real_photos()
    if photos is None:
        raise SystemExit("set STYLESEARCH_TEST_DATA to the folder of real photos")
    for loss, regions in VARIANTS:
        styles: list[str] = []
        before: list[Floats] = []
        after: list[Floats] = []
        of_splits = []
        with tempfile.TemporaryDirectory() as name, stylesearch.open(Path(name) / "home") as shop:
            for number in range(N_SPLITS):
                table = Path(name) / f"split-{number}.csv"
                _write_catalog(photos / "luma", table, number)
                shop.ingest(table, allow_outside=True)
                report = shop.train("views", pairs="views", regions=regions, loss=loss, seed=number)
                study, untrained, learned = _study(shop, report.card.name)
                styles += [image.product for image in study.queries.images]
                before.append(_scores(untrained))
                after.append(_scores(learned))
                weights = sorted(set(report.card.weights.values()))
                of_splits.append(
                    [
                        number,
                        f"{report.card.untrained}, {report.card.metric}",
                        " ".join(f"{weight:g}" for weight in weights),
                        *(f"{100 * float(one.mean()):+.1f}" for one in (after[-1] - before[-1]).T),
                    ]
                )
        print(f"**{loss}**, learned from photos seen as `{regions}`: {len(styles)} queries\n")
        _print_scores(np.concatenate(before), np.concatenate(after), styles)
        print()
        print_table(["split", "untrained", "weights", *(f"{score}, points" for score in SCORES)], of_splits)
        print(flush=True)


def _write_catalog(luma: Path, table: Path, seed: int) -> None:
    """The shop's views as a table, its styles split at random."""
    with (luma / "images.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    styles = sorted({row["style"] for row in rows})
    shuffled = random.Random(seed).sample(styles, len(styles))
    n_test, n_learned = round(0.3 * len(styles)), round(0.56 * len(styles))
    test, learned = set(shuffled[:n_test]), set(shuffled[n_test : n_test + n_learned])
    with table.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["id", "title", "category", "image", "split", ESCAPED_COLUMN])
        for row in rows:
            style = row["style"]
            part = "test" if style in test else "train" if style in learned else "validation"
            cells = [style, style, row["category"], str(luma / row["image"]), part]
            writer.writerow([*map(escape_cell, cells), ""])


def _study(shop: Workspace, name: str) -> tuple[Study, Run, Run]:
    """The study, its run in the best untrained space, and that in the learned one.

    The untrained space is the model with a weight of 0, so that both have the same fit.
    """
    from stylesearch.models.store import folder_of, load_model, save_model

    home = shop.settings.home
    card, transform = load_model(folder_of(home, name))
    nothing = dataclasses.replace(transform, name="siamese:untrained", weights={"": 0.0})
    of_nothing = dataclasses.replace(
        card, name="untrained", weights={"": 0.0}, transform_version=nothing.version
    )
    save_model(home, of_nothing, nothing)
    study = shop.evaluate(
        [of_nothing.space, card.space],
        metrics=(card.metric,),
        queries="views",
        gallery="*_main.*",
        split="test",
        gallery_split="any",
    )
    untrained_run, learned_run = study.runs
    return study, untrained_run, learned_run


def _scores(run: Run) -> Floats:
    """Scores of every query, (n, scores)."""
    from stylesearch.evaluation.scores import score_columns

    return score_columns(run.columns, list(SCORES))


def _print_scores(before: Floats, after: Floats, styles: Sequence[str]) -> None:
    rows = []
    for number, score in enumerate(SCORES):
        change = 100 * (after[:, number] - before[:, number])
        low, high = _interval(change, styles)
        rows.append(
            [
                score,
                f"{100 * before[:, number].mean():.1f}",
                f"{100 * after[:, number].mean():.1f}",
                f"{change.mean():+.1f} [{low:+.1f}, {high:+.1f}]",
            ]
        )
    print_table(["score", "untrained, %", "learned, %", "change, points"], rows)


def _interval(change: Floats, styles: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of the mean, drawing styles, since the queries of one are alike in all splits."""
    _, of_style = np.unique(np.asarray(styles), return_inverse=True)
    sums, counts = np.bincount(of_style, change), np.bincount(of_style)
    drawn = np.random.default_rng(0).integers(0, len(counts), (N_RESAMPLES, len(counts)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)
