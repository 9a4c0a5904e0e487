"""Runs measurements by name, or lists them.

python -m benchmarks                 lists them
python -m benchmarks help warm_query
python -m benchmarks all
"""

from __future__ import annotations

import importlib
import os
import sys

from benchmarks.measuring import describe_machine

BENCHMARKS = {
    "help": "stylesearch --help, in seconds",
    "cold_query": "a query from a cold shell against a plain Keras script, 10,000 products",
    "warm_query": "index, re-rank and rows at 10,000 and 100,000 products",
    "filters": "a search with a filter against one without, 100,000 products: all, half ... none meet it",
    "million": "a million products in 40 categories: filling, building, queries; time, memory, recall",
    "person_query": "a query with the plan person against the plan street, cold and warm",
    "recall": "ANN recall@20 of the index against exact search, all metrics",
    "neighbours": "the own index against hnswlib, usearch and faiss: build, memory, recall, time",
    "pair_recall": "ANN recall of the 20 products of a photo of a person: pairs of regions and squares",
    "pgvector": "local indexes against pgvector, over 100,000 images: recall, time, filters, size",
    "ingest_speed": "pictures a second against keras.Model.predict and against the bound of the cores",
    "cluster": "an ingest over 1, 2 and 4 worker processes against the threads of a local one",
    "fetch": "1,000 pictures of 200 KB behind URLs with 50 ms latency against the same files on disk",
    "sync": "100,000 rows with fetched pictures ingested again: unchanged, and 1 % changed; memory",
    "catalog_check": "db check, the upgrade to checksums and reading of 100,000 vectors: seconds, memory",
    "databases": "the catalog in SQLite and on PostgreSQL: put, read, rows of hits, a whole search",
    "counts": "how many products are shown by category, as kept up and as counted; 100,000 products",
    "backup": "backup, restore, export and import of 100,000 products: time, memory, sizes",
    "memory": "peak memory of ingest, 1,000 against 10,000 pictures",
    "street": "drawn street photos: is the product in the top 20, against whole photo and cosine",
    "ablation": "regions, input size, space and metric on drawn and on real photos",
    "learned": "a distance learned from drawn street photos against untrained ones and the 2018 loss",
    "learned_views": "a distance learned from the views of a real shop, five splits of its styles",
    "learned_query": "a query in a learned space against the untrained one, in turn",
    "serve_load": "the service: lone requests, 8 clients, memory, a worker killed; 10,000 products",
    "serve_ingest": "searches of the service while 1,000 products are ingested into 10,000",
    "isolation": "what decoding in processes costs a search, and 8 hostile uploads at once beside it",
    "serve_page": "the page of the service in a browser: until it is painted, until products are there",
    "garment": "squares around the person, texture and other whitening, against the default",
    "levers": "what else may help, each against the default, on held-out products, with its cost",
    "colors": "what colors joined to a network cost a query",
    "categories": "real photos: share of the 10 nearest that are of the same category",
    "kind_head": "trains the head that names kinds of garments, and how often it is right",
    "kinds_test": "real photos in a real shop: hits of their kind, the most shown product; kinds as a prior",
    "luma": "real views of one shop, per category: white-box against EfficientNet-Lite0, three metrics",
    "ranking": "exact ranks of an evaluation against SciPy's cdist and argsort",
    "whitebox": "white-box features against a loop over scikit-image and OpenCV, same vectors",
    "image_libraries": "own image code against OpenCV and scikit-image, step by step, and their imports",
    "color_bins": "what 25 colors means: readings compared on drawn and on real photos",
    "whitebox_parts": "each white-box feature alone and together, and its share of the distance",
    "files_touched": "in how many files a function runs for a query, an ingest and a search of the service",
    "gpu": "vectors, white-box features, ingest and training in TensorFlow on a GPU; writes a JSON file",
    "vector_dtype": "float16 against float32 for stored vectors: size, and the order of the nearest",
}


def main(names: list[str]) -> int:
    """Runs the named measurements; prints Markdown. Returns 1 if one tells that a part of it failed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not names:
        for name, line in BENCHMARKS.items():
            print(f"  {name:<14}{line}")
        print("\nrun some with: python -m benchmarks NAME..., or all of them with: python -m benchmarks all")
        return 0
    if unknown := set(names) - {*BENCHMARKS, "all"}:
        print(f"no benchmark is called {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
        return 2
    print(f"{describe_machine()}\n", flush=True)
    failed = False
    for name in list(BENCHMARKS) if "all" in names else names:
        print(f"### {name}: {BENCHMARKS[name]}\n", flush=True)
        failed |= bool(importlib.import_module(f"benchmarks.{name}").main())
        print(flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
