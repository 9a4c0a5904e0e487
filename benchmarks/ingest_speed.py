"""Ingest of JPEG files from disk against Keras alone, and against what the cores allow.

Keras alone is ``keras.Model.predict`` fed by ``keras.utils.image_dataset_from_directory``. The bound is
n_cores / (core-seconds of decoding one picture + core-seconds of inferring it), each measured alone. Both
sides start with the model loaded and warm; ours also hashes, and stores the vectors in the catalog.

Environment: ``BENCH_PICTURES`` (480), ``BENCH_PRECISION`` (``f32``; else what the processor is best at). With
``ONEDNN_MAX_CPU_ISA=AVX2`` as well, a newer processor does as one with AVX2 alone.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import alternate, print_table, seconds_of
from benchmarks.plain_keras import keras_model
from benchmarks.shops import drawn_images
from stylesearch.extractors.base import Extractor

N_IMAGES = int(os.environ.get("BENCH_PICTURES", "480"))
EXTRACTORS = {
    "efficientnet-lite0@224": None,
    "efficientnet-lite0@320+colors": None,
    "efficientnet-lite0@320+texture+colors": None,
    "resnet50@224": "random",
}


def main() -> None:
    """Prints pictures a second, ratios, and the share of the bound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "catalog"
        drawn_images(folder, N_IMAGES)
        rows = [_measure(spec, weights, folder, Path(name)) for spec, weights in EXTRACTORS.items()]
    print_table(
        [
            "extractor",
            "ingest, pictures/s",
            "Keras predict",
            "ratio",
            "bound of the cores",
            "share of the bound",
        ],
        rows,
    )


def _measure(spec: str, weights: str | None, folder: Path, scratch: Path) -> list[str]:
    from stylesearch.catalog import Catalog
    from stylesearch.extractors import load_extractor
    from stylesearch.features.stream import ExtractionOptions
    from stylesearch.importers.folders.importer import FolderImporter
    from stylesearch.ingest import IngestOptions, ingest

    precision = os.environ.get("BENCH_PRECISION", "auto")
    extractor = load_extractor(spec, weights=weights, precision=precision, throughput=True)
    network = keras_model(spec, weights)
    size = extractor.input_size
    extractor.extract(np.zeros((64, size, size, 3), np.uint8))
    n_cores = os.cpu_count() or 1
    n_runs = 0

    def ours() -> float:
        nonlocal n_runs
        n_runs += 1
        with Catalog.open(scratch / f"{spec}-{n_runs}.db") as catalog:
            options = IngestOptions(extraction=ExtractionOptions(n_workers=n_cores))
            report = ingest(catalog, folder, FolderImporter(), [extractor], options)
        assert report.computed == N_IMAGES
        return report.seconds["total"]

    def plain_keras() -> float:
        import keras

        began = time.perf_counter()
        images = keras.utils.image_dataset_from_directory(
            folder, labels=None, image_size=(size, size), batch_size=32, shuffle=False, verbose=False
        )
        assert len(network.predict(images, verbose=0)) == N_IMAGES
        return time.perf_counter() - began

    our_seconds, keras_seconds = alternate(ours, plain_keras, n_rounds=3)
    bound = n_cores / (_decoding(folder, size) + _inferring(extractor, n_cores))
    rate = N_IMAGES / statistics.median(our_seconds)
    ratio = statistics.median(keras_seconds) / statistics.median(our_seconds)
    return [
        spec,
        f"{rate:.0f}",
        f"{N_IMAGES / statistics.median(keras_seconds):.0f}",
        f"{ratio:.1f}",
        f"{bound:.0f}",
        f"{rate / bound:.2f}",
    ]


def _decoding(folder: Path, size: int) -> float:
    """Core-seconds of reading, hashing and decoding one picture, alone on one core."""
    from stylesearch.features.prepare import Task, prepare_image
    from stylesearch.listing import Listing, Record

    tasks = [
        Task(Record(Listing(path.stem), str(path)), None, frozenset(["x"]))
        for path in sorted(folder.rglob("*.jpg"))[:200]
    ]
    for task in tasks[:10]:
        prepare_image(task, sizes={"x": size}, max_pixels=10**9)
    return statistics.median(
        sum(prepare_image(task, sizes={"x": size}, max_pixels=10**9).prepare_seconds for task in tasks)
        / len(tasks)
        for _ in range(3)
    )


def _inferring(extractor: Extractor, n_cores: int) -> float:
    """Core-seconds of inferring one picture with all cores at it and nothing else to do."""
    from concurrent.futures import ThreadPoolExecutor

    size = extractor.input_size
    batches = [np.random.default_rng(n).integers(0, 255, (32, size, size, 3), np.uint8) for n in range(8)]

    def run() -> None:
        with ThreadPoolExecutor(extractor.concurrency) as pool:
            list(pool.map(extractor.extract, batches))

    run()
    return statistics.median(seconds_of(run) for _ in range(3)) * n_cores / (32 * len(batches))
