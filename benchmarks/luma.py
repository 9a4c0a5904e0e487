"""Real views of one shop: queries the other views, gallery the main views, product = style; per category.

Needs the real photos that $STYLESEARCH_TEST_DATA names. Nothing is trained; every photo is looked at whole.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.shops import real_photos
from stylesearch.csv_cells import ESCAPED_COLUMN, escape_cell
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.settings import Settings

DEFAULT = Settings().extractor
METHODS = ("whitebox", str(ExtractorSpec.parse(DEFAULT).without_colors), DEFAULT, f"{DEFAULT}/whitened")
KS = (1, 5, 20)


def main() -> None:
    """Prints one table: top-k accuracy per category and method, by the metric that suits the method."""
    import stylesearch
    from stylesearch.evaluation.results_files import notes, percent

    photos = real_photos()
    if photos is None:
        raise SystemExit("set STYLESEARCH_TEST_DATA to the folder of real photos")
    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "luma.csv"
        _write_catalog(photos / "luma", table)
        shop = stylesearch.open(Path(name) / "home")
        shop.ingest(table, extractors=METHODS[1:3], allow_outside=True)
        study = shop.evaluate(METHODS, ks=KS, queries="views", gallery="*_main.*")
    print(*(f"- {line}" for line in notes(study)), sep="\n", end="\n\n")
    rows = []
    for run in study.runs:
        means = {"macro": run.macro, "micro": run.micro}
        for label, scores in {**{one.category: one for one in run.categories}, **means}.items():
            cells = [percent(scores.values[f"top-{k}"]) for k in KS]
            rows.append([run.method, run.metric, label, str(scores.n_queries), *cells])
    print_table(["method", "metric", "category", "queries", *(f"top {k}, %" for k in KS)], rows)


def _write_catalog(luma: Path, table: Path) -> None:
    with (luma / "images.csv").open(newline="") as source, table.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["id", "title", "category", "image", ESCAPED_COLUMN])
        for row in csv.DictReader(source):
            cells = [row["style"], row["style"], row["category"], str(luma / row["image"])]
            writer.writerow([*map(escape_cell, cells), ""])
