"""A query from a cold shell, against the same query by a plain Keras script; 10,000 products.

The script loads the model with Keras, predicts the photo once and takes NumPy distances over saved vectors.
Ours looks at the photo through all regions. The bars: 1.2 s, and a sixth of the script's time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import alternate, command_line, print_table, seconds_of_command
from benchmarks.plain_keras import keras_model
from benchmarks.shops import drawn_shop, fill_catalog, region_features

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))

PLAIN_KERAS = """
import sys
import keras
import numpy as np
from PIL import Image
model = keras.models.load_model(sys.argv[1])
photo = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((SIZE, SIZE)))[None]
feature = model.predict(photo, verbose=0)
gallery = np.load(sys.argv[3])
distances = 1 - gallery @ feature[0] / np.linalg.norm(gallery, axis=1) / np.linalg.norm(feature)
print(np.argsort(distances)[:20])
"""


def main() -> None:
    """Prints both times and their ratio, and what our process spent its time on."""
    from stylesearch.catalog import Catalog
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings
    from stylesearch.spaces.parts import FeatureParts

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_shop(folder / "drawn", 24)
        photo = sorted((folder / "drawn" / "street").glob("*.jpg"))[0]
        spec = Settings().extractor
        extractor = load_extractor(spec, throughput=True)
        shop = sorted((folder / "drawn" / "catalog").rglob("*.jpg"))
        features = region_features(extractor, shop)
        fill_catalog(folder / "home" / "catalog.db", extractor, N_PRODUCTS, 10, shop, features)
        subprocess.run(
            command_line("--home", folder / "home", "-q", "index", "build"),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with Catalog.open(folder / "home" / "catalog.db") as catalog:
            (feature_set,) = catalog.feature_sets()
            vectors = np.concatenate([block for _, block in catalog.features(feature_set)])
        np.save(folder / "gallery.npy", FeatureParts.of_extractor(extractor).split(vectors)[0])
        keras_model(spec).save(folder / "model.keras")
        (folder / "plain.py").write_text(PLAIN_KERAS.replace("SIZE", str(extractor.input_size)))
        query = command_line("--home", folder / "home", "query", photo, "-k", "20", "--json")
        found = json.loads(subprocess.run(query, check=True, capture_output=True, text=True).stdout)
        assert len(found["hits"]) == 20
        plain = [
            sys.executable,
            str(folder / "plain.py"),
            str(folder / "model.keras"),
            str(photo),
            str(folder / "gallery.npy"),
        ]
        ours, theirs = alternate(
            lambda: seconds_of_command(query), lambda: seconds_of_command(plain), n_rounds=7
        )
    ratio = statistics.median(theirs) / statistics.median(ours)
    print_table(
        ["what", "median s", "min", "max"],
        [
            ["stylesearch query, cold", *_spread(ours)],
            ["plain Keras script, cold", *_spread(theirs)],
            ["ratio of medians", f"{ratio:.1f}", "", ""],
        ],
    )


def _spread(times: list[float]) -> list[str]:
    return [f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}"]
