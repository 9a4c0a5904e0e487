"""A distance learned from drawn street photos against the best untrained one, on products never trained on.

2,000 drawn products with a street photo each, of a poor camera in bad light (``demo --hard``): 60 % of the
products of each category to learn from, 10 % to choose with, 30 % to test with. Test photos are searched in
all shop pictures, through the default regions. The bar: 1.5 times the top-20 accuracy of the untrained
features in every category, at most 2 minutes of training. All losses get the same pairs; `bce`, the
loss of the 2018 study, gets the same time as well, and as many epochs as fit into it.

$BENCH_FOLDER names a folder in which drawings and features are kept for another run.
"""

from __future__ import annotations

import csv
import os
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import print_table

if TYPE_CHECKING:
    from stylesearch.evaluation.results import Run, Study
    from stylesearch.training.results import TrainReport
    from stylesearch.workspace.workspace import Workspace

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "2000"))
SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
KS = (1, 5, 20)


def main() -> None:
    """Prints what training gave per category, and the methods side by side."""
    import stylesearch
    from stylesearch.drawn_shop import write_demo

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("BENCH_FOLDER", temporary))
        if not (folder / "drawn" / "products.csv").exists():
            write_demo(
                folder / "drawn", n_products=N_PRODUCTS, seed=7, hard=True, processes=os.cpu_count() or 1
            )
        for part in ("products", "street"):
            _write_split(folder / "drawn" / f"{part}.csv", folder / "drawn" / f"{part}-split.csv")
        with stylesearch.open(folder / "home") as shop:
            for part in ("products", "street"):
                shop.ingest(folder / "drawn" / f"{part}-split.csv")
            learned = shop.train("learned")
            trial = shop.train("trial", loss="bce", epochs=2)
            epochs = max(1, round(_seconds(learned) / (_seconds(trial) / 2)))
            others = [
                shop.train("same-time", loss="bce", epochs=epochs, patience=epochs),
                *(shop.train(loss, loss=loss) for loss in ("bce", "contrastive", "triplet")),
            ]
            _print_training(learned, others)
            _print_methods(shop, learned)


def _write_split(table: Path, target: Path) -> None:
    """Writes the table with a column ``split``, drawn by category."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    of_category: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        of_category[row["category"]].add(row["id"])
    split = {}
    for category, products in sorted(of_category.items()):
        shuffled = random.Random(category).sample(sorted(products), len(products))
        n_train, n_validation = (round(SHARES[part] * len(shuffled)) for part in ("train", "validation"))
        for place, product in enumerate(shuffled):
            in_validation = "validation" if place < n_train + n_validation else "test"
            split[product] = "train" if place < n_train else in_validation
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "split"])
        writer.writeheader()
        writer.writerows({**row, "split": split[row["id"]]} for row in rows)


def _seconds(report: TrainReport) -> float:
    """Seconds of all epochs, their validation included."""
    return sum(epoch.seconds for epoch in report.history)


def _print_training(learned: TrainReport, others: list[TrainReport]) -> None:
    parts = learned.card.n_products
    print(
        f"{parts['train']} products to learn from, {parts['validation']} to choose with, {parts['test']} to "
        f"test with.\n"
    )
    print_table(
        [
            "loss",
            "untrained space",
            "epochs",
            "best",
            "training, s",
            "weights",
            *(f"top {k}, untrained -> learned, %" for k in KS),
        ],
        [
            [
                report.card.loss + (", same time" if report.card.name == "same-time" else ""),
                f"{report.card.untrained}, {report.card.metric}",
                len(report.history) - 1,
                report.best,
                f"{_seconds(report):.0f}",
                ", ".join(f"{weight:g}" for weight in sorted(set(report.card.weights.values()))),
                *(
                    f"{100 * all_queries.before[f'top-{k}'].value:.1f} -> "
                    f"{100 * all_queries.after[f'top-{k}'].value:.1f}"
                    for k in KS
                ),
            ]
            for report in (learned, *others)
            for all_queries in report.test[:1]
        ],
    )
    print()
    rows = []
    for change in learned.test:
        before, after = change.before["top-20"], change.after["top-20"]
        weights = learned.card.weights
        rows.append(
            [
                change.category or "all",
                change.n_queries,
                f"{weights.get(change.category, weights['']):g}" if change.category else "",
                f"{100 * before.value:.1f} [{100 * before.low:.1f}, {100 * before.high:.1f}]",
                f"{100 * after.value:.1f} [{100 * after.low:.1f}, {100 * after.high:.1f}]",
                f"{after.value / before.value:.2f}",
            ]
        )
    print_table(["category", "photos", "weight", "untrained, top 20, %", "learned, top 20, %", "ratio"], rows)
    print(flush=True)


def _print_methods(shop: Workspace, learned: TrainReport) -> None:
    """The methods side by side, each by its best metric, on the test products (the 2018 study's Figure 9)."""
    methods = ["whitebox", shop.settings.extractor, f"{shop.settings.extractor}/whitened", learned.card.space]
    study: Study = shop.evaluate(
        methods, ks=KS, split="test", gallery_split="any", regions=shop.settings.regions
    )
    best: dict[str, Run] = {}
    for run in study.runs:
        current = best.get(run.method)
        if current is None or run.micro.values["MRR"].value > current.micro.values["MRR"].value:
            best[run.method] = run
    names = [scores.category for scores in study.runs[0].categories]
    rows = []
    for method in study.settings.methods:
        run = best[method]
        of_categories = [f"{100 * scores.values['top-20'].value:.0f}" for scores in run.categories]
        rows.append([method, run.metric, f"{100 * run.micro.values['top-20'].value:.1f}", *of_categories])
    print_table(["method", "metric", "top 20, %", *names], rows)
