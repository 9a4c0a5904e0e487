"""The default query, which looks for a person, against that of 0.2, cold and warm, in turn.

Photos: drawn street photos that show a person, as they are and enlarged to 12 megapixels. Cold are whole
processes, ``stylesearch query PHOTO``; warm is ``shop.query`` in one. That of 0.2 looks through the plan
``street``, at features without texture, in the space ``whitened``. The bars: a warm query takes at most as
long as that, a cold one at most 1.05 times as long. ``$BENCH_BEFORE`` names a checkout of older code, whose
cold query is then what all is compared with.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.measuring import command_line, print_table
from benchmarks.shops import drawn_shop
from stylesearch.images.regions import REGION_PLANS, WITHOUT_PERSON

if TYPE_CHECKING:
    from stylesearch.workspace.workspace import Workspace

N_PRODUCTS = 40
N_PHOTOS = 6
LONG_SIDE = 4000
N_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "12"))
BEFORE = os.environ.get("BENCH_BEFORE", "")
RUN = "from cli.main import main; main()"
OLDER = {"extractor": "efficientnet-lite0@320+colors", "space": "whitened"}
"""The default of 0.2."""

Cost = tuple[float, float]
"""Wall seconds and processor seconds."""


def main() -> None:
    """Prints medians of the wall time, and of the ratios of both times to those of the first row."""
    import stylesearch

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path(name) / "home"
        drawn_shop(folder / "drawn", N_PRODUCTS)
        table = folder / "drawn" / "products.csv"
        if BEFORE:
            _run([sys.executable, "-c", RUN, "--home", f"{home}-before", "ingest", str(table)], BEFORE)
        with stylesearch.open(home) as shop:
            shop.ingest(table, extractors=[OLDER["extractor"], shop.settings.extractor])
            shop.indexes.build(space=shop.settings.space)
            shop.indexes.build(extractor=OLDER["extractor"], space=OLDER["space"])
            n_without = len(REGION_PLANS[WITHOUT_PERSON])
            photos = [
                path
                for path in sorted((folder / "drawn" / "street").glob("*.jpg"))
                if len(shop.query(path, k=1).regions) < n_without
            ][:N_PHOTOS]
            for size, chosen in (("small", photos), ("12 megapixels", _enlarge(photos, folder / "large"))):
                rows += _table(f"warm, {size}", _warm(shop, chosen[0]), chosen)
                rows += _table(f"cold, {size}", _cold(home), chosen)
    print_table(["query", "way", "median s", "wall ratio", "processor ratio"], rows)


def _enlarge(photos: Sequence[Path], folder: Path) -> list[Path]:
    folder.mkdir()
    for path in photos:
        image = Image.open(path)
        scale = LONG_SIDE / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.resize(size, Image.Resampling.BICUBIC).save(folder / path.name, quality=90)
    return sorted(folder.iterdir())


def _warm(shop: Workspace, warming: Path) -> dict[str, Callable[[Path], object]]:
    ways: dict[str, Callable[[Path], object]] = {
        "0.2's": partial(shop.query, regions="street", extractor=OLDER["extractor"], space=OLDER["space"]),
        "street, mixed": partial(shop.query, regions="street"),
        "default": shop.query,
    }
    for query in ways.values():
        query(warming)
    return ways


def _cold(home: Path) -> dict[str, Callable[[Path], object]]:
    def of(command: Sequence[str], home: str, options: Sequence[str], code: str, photo: Path) -> None:
        answer = _run([*command, "--home", home, "query", "--json", *options, str(photo)], code)
        assert json.loads(answer)["hits"]

    older: dict[str, Callable[[Path], object]] = {}
    if BEFORE:
        older["default, before"] = partial(of, [sys.executable, "-c", RUN], f"{home}-before", [], BEFORE)
    options = ["--regions", "street", "-e", OLDER["extractor"], "-s", OLDER["space"]]
    return older | {
        "0.2's": partial(of, command_line(), str(home), options, ""),
        "default": partial(of, command_line(), str(home), [], ""),
    }


def _run(command: Sequence[str], folder: str) -> bytes:
    """What a command prints; in a folder of other code, Python looks for packages there first."""
    return subprocess.run(command, check=True, capture_output=True, cwd=folder or None).stdout


def _table(
    what: str, ways: Mapping[str, Callable[[Path], object]], photos: Sequence[Path]
) -> list[list[str]]:
    """Measures each way with each photo in turn, and in turn in the other order; the first counts as 1."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(N_ROUNDS + 1):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            cost = _cost_of(partial(ways[name], photos[number % len(photos)]))
            if number:  # the first round does not count
                costs[name].append(cost)
    first = next(iter(costs.values()))
    return [
        [what, name, f"{statistics.median(wall for wall, _ in own):.3f}", *_ratios(own, first)]
        for name, own in costs.items()
    ]


def _ratios(costs: Sequence[Cost], others: Sequence[Cost]) -> list[str]:
    """Medians of the ratios of pairs: of the wall time, and of the processor time."""
    pairs = list(zip(costs, others, strict=True))
    return [f"{statistics.median(own[kind] / other[kind] for own, other in pairs):.2f}" for kind in (0, 1)]


def _cost_of(function: Callable[[], object]) -> Cost:
    began, used = time.perf_counter(), _processor_seconds()
    function()
    return time.perf_counter() - began, _processor_seconds() - used


def _processor_seconds() -> float:
    """Of this process and of those that it has waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
