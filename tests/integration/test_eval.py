"""``stylesearch eval`` from end to end: figures that a query confirms, equal bytes, kill and resume."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.cli.eval import METRICS as METRICS_OF_HELP
from stylesearch.distance import METRICS
from stylesearch.evaluation.results_files import load_study, save_results

pytestmark = pytest.mark.slow

NAME = "efficientnet-lite0@320+texture+colors"


@pytest.fixture(scope="module")
def streets(ingested: Path, drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace with the street photos in it too."""
    home = tmp_path_factory.mktemp("streets") / "home"
    shutil.copytree(ingested, home)
    with ss.open(home) as shop:
        assert shop.ingest(drawn_shop / "street.csv").added == 24
    return home


def test_the_metrics_of_the_help_are_those_there_are() -> None:
    assert tuple(METRICS_OF_HELP) == METRICS


@pytest.mark.parametrize("regions", ["whole", "box", "street"])
def test_hits_and_ranks_are_those_of_a_query(streets: Path, regions: str) -> None:
    with ss.open(streets) as shop:
        study = shop.evaluate([f"{NAME}/mixed"], metrics=["cosine"], ks=[1, 5], regions=regions)
        run = study.run(f"{NAME}/mixed", "cosine")
        for place, query in enumerate(study.queries.images[:6]):
            box = query.box if regions == "box" else None
            result = shop.query(query.path, k=24, box=box, regions="whole" if box else regions)
            images = run.columns.hit_images[place]
            found = [study.gallery.images[image].product for image in images]
            distance_of = {hit.product.id: hit.distance for hit in result.hits}
            for one, hit in zip(
                found, result.hits[:20], strict=True
            ):  # an engine rounds otherwise in a batch
                assert one == hit.product.id or abs(distance_of[one] - hit.distance) < 2e-3
            distances = [hit.distance for hit in result.hits[:20]]
            assert np.allclose(run.columns.hit_distances[place], distances, atol=2e-3)
            products = [hit.product.id for hit in result.hits]
            assert run.columns.ranks[place] == products.index(query.product) + 1
    assert study.queries.n_without_box == 0
    top_1 = run.micro.values["top-1"]
    assert top_1.value == pytest.approx((run.columns.ranks == 1).mean())
    assert top_1.low <= top_1.value <= top_1.high


def test_the_report_is_the_same_byte_for_byte(stylesearch: Any, streets: Path, tmp_path: Path) -> None:
    methods = f"{NAME},{NAME}/mixed"
    for folder in ("one", "two"):
        outcome = stylesearch("--home", streets, "eval", "--methods", methods, "--report", tmp_path / folder)
        assert outcome.code == 0, outcome.err
    for name in ("results.json", "results.csv", "results.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert "Searched in: all shop pictures: 24 pictures of 24 products." in outcome.out
    assert "24 consumer photos of 24 products" in outcome.out
    assert "report: 12/12 parts" in outcome.err
    study = load_study(tmp_path / "one")
    assert [run.label for run in study.runs] == [
        f"{method}, {metric}" for method in methods.split(",") for metric in METRICS
    ]
    assert sum(study.gallery.categories.values()) == 24


def test_the_same_catalog_in_another_workspace_gives_the_same_bytes(
    streets: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    """Ingested in the other order: neither keys nor ids show in the results."""
    with ss.open(tmp_path / "home") as other:
        other.ingest(drawn_shop / "street.csv")
        other.ingest(drawn_shop / "products.csv")
        save_results(other.evaluate([NAME], ks=[1, 5]), tmp_path / "other")
    with ss.open(streets) as shop:
        save_results(shop.evaluate([NAME], ks=[1, 5]), tmp_path / "own")
    assert (tmp_path / "other/results.json").read_bytes() == (tmp_path / "own/results.json").read_bytes()


def test_json_and_a_baseline(stylesearch: Any, streets: Path, tmp_path: Path) -> None:
    common = ["--home", streets, "-q", "eval", "--methods", NAME, "-k", "5,1"]
    assert stylesearch(*common, "--metrics", "l1,cosine", "--report", tmp_path / "old").code == 0
    again = stylesearch(*common, "--metrics", "cosine", "--baseline", tmp_path / "old", "--json")
    assert again.code == 0, again.err
    assert again.json["settings"]["ks"] == [1, 5]
    assert {one["verdict"] for one in again.json["comparison"]["changes"]} == {"same"}
    assert f"Only before: {NAME}, l1." in again.json["comparison"]["notes"]
    text = stylesearch(*common, "--metrics", "cosine", "--baseline", tmp_path / "old/results.json")
    assert "compared with the baseline:" in text.out
    assert "Compared on the 24 queries that both have" in text.out


def test_the_indexes_are_measured_against_exact_search(streets: Path, tmp_path: Path) -> None:
    shutil.copytree(streets, tmp_path / "home")
    with ss.open(tmp_path / "home") as shop:
        exact = shop.evaluate([f"{NAME}/mixed"], metrics=["cosine"], regions="few")
        study = shop.evaluate([f"{NAME}/mixed"], metrics=["cosine"], regions="few", index=True)
    run = study.runs[0]
    assert run.ann_recall is not None
    assert run.ann_recall.value > 0.95
    assert "mAP" not in run.micro.values
    assert study.methods[0].dim == exact.methods[0].dim
    assert run.micro.values["top-5"].value == pytest.approx(
        exact.runs[0].micro.values["top-5"].value, abs=0.05
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--queries", "views"], 1, "no products with several shop pictures"),
        (["--split", "test"], 1, "of the split 'test'"),
        (["--methods", "resnet51"], 1, "resnet50"),
        (["--methods", "resnet50/whitend"], 1, "whitened"),
        (["--regions", "stret"], 1, "street"),
        (["--index", "--gallery", "*_1.jpg", "--gallery-split", "x"], 1, "no shop pictures are left"),
        (["--metrics", "l3"], 2, "l3"),
        (["-k", "0"], 2, "'0' is not a positive whole number"),
        (["--methods", ","], 2, "at least one"),
    ],
)
def test_what_cannot_be_done_is_said(
    stylesearch: Any, streets: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = stylesearch("--home", streets, "eval", *arguments)
    assert outcome.code == code
    assert message in outcome.err


def test_a_baseline_that_cannot_be_read_is_told_before_anything_is_computed(
    stylesearch: Any, streets: Path, tmp_path: Path
) -> None:
    (tmp_path / "old.json").write_text("{}")
    outcome = stylesearch(
        "--home", streets, "eval", "--methods", "resnet51", "--baseline", tmp_path / "old.json"
    )
    assert outcome.code == 1
    assert "not a study" in outcome.err


def test_an_interruption_says_that_the_work_is_kept(
    stylesearch: Any, streets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ss.Workspace, "evaluate", interrupted)
    outcome = stylesearch("--home", streets, "eval", "--methods", NAME)
    assert outcome.code == 130
    assert "finished work is kept; to continue, run the same command again" in outcome.err


SCRIPT = """
import signal
import sys
from pathlib import Path

import stylesearch.features.compute as features
from stylesearch.catalog import Catalog
from stylesearch.evaluation.results import StudySettings
from stylesearch.evaluation.results_files import save_results
from stylesearch.evaluation.study import evaluate
from stylesearch.features.context import StudyContext
from stylesearch.features.stream import ExtractionOptions
from stylesearch.testing.fake_extractor import FakeExtractor

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
features.STORED_AT_ONCE = 7  # many small transactions: many places to be killed in
n_computed = 0

class Telling(FakeExtractor):
    def extract(self, images):
        global n_computed
        n_computed += len(images)
        print("extracting", flush=True)
        return super().extract(images)

home = Path(sys.argv[1])
with Catalog.open(home / "catalog.db") as catalog:
    context = StudyContext(
        catalog,
        lambda name: Telling(seed=int(name[-1])),
        None,
        home / "cache",
        ExtractionOptions(batch_size=3),
    )
    study = evaluate(context, StudySettings(("fake0", "fake1"), ("l1", "cosine"), (1, 5), regions="few"))
save_results(study, home / "report")
print("done", n_computed, flush=True)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of 30 products with a shop picture and a photo each, and no features of the methods."""
    from stylesearch.catalog import Catalog
    from stylesearch.importers.tables.importer import TableImporter
    from stylesearch.ingest import IngestOptions, ingest
    from stylesearch.testing.fake_extractor import FakeExtractor

    home = tmp_path_factory.mktemp("fresh")
    rng = np.random.default_rng(8)
    lines = ["id,category,image,domain"]
    for number in range(30):
        colors = rng.integers(0, 255, (4, 3, 3)).astype(np.uint8)
        for domain in ("shop", "consumer"):
            pixels = np.kron(colors, np.ones((12, 12, 1), np.uint8))
            noisy = np.clip(pixels + rng.normal(0, 30, pixels.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(home / f"{number}-{domain}.png")
            lines.append(f"p{number:02},{'dress' if number % 2 else 'skirt'},{number}-{domain}.png,{domain}")
    (home / "table.csv").write_text("\n".join(lines))
    with Catalog.open(home / "catalog.db") as catalog:
        report = ingest(
            catalog, home / "table.csv", TableImporter(), [FakeExtractor(seed=9)], IngestOptions()
        )
    assert report.added == 60
    return home


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(home)], stdout=subprocess.PIPE, text=True)


def run_to_the_end(home: Path) -> int:
    """Runs the study and returns how many vectors it computed."""
    process = start(home)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return int(output.split()[-1])


@pytest.fixture(scope="module")
def uninterrupted(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    home = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(fresh, home)
    n_regions = 4
    assert run_to_the_end(home) == 2 * (30 + n_regions * 30)
    text = (home / "report/results.json").read_bytes()
    scores = json.loads(text)["runs"][0]["micro"]["values"]
    assert scores["top-1"]["value"] > 0.5  # the same colors, blurred by noise: not found by chance
    assert run_to_the_end(home) == 0
    assert (home / "report/results.json").read_bytes() == text
    return text


@pytest.mark.parametrize(
    ("how", "n_events"), [(signal.SIGKILL, 1), (signal.SIGKILL, 8), (signal.SIGKILL, 30), (signal.SIGINT, 15)]
)
def test_an_interrupted_study_goes_on_where_it_was(
    fresh: Path, tmp_path: Path, uninterrupted: bytes, how: signal.Signals, n_events: int
) -> None:
    home = tmp_path / "home"
    shutil.copytree(fresh, home)
    process = start(home)
    assert process.stdout is not None
    for _ in range(n_events):
        process.stdout.readline()
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    n_left = run_to_the_end(home)
    assert (home / "report/results.json").read_bytes() == uninterrupted
    if n_events >= 8:
        assert n_left < 300
    assert [path for path in (home / "cache").iterdir() if not path.is_dir()] == []


def test_a_image_that_changed_or_went_is_left_out_and_said(fresh: Path, tmp_path: Path) -> None:
    """Features of other bytes than the catalog knows must not be stored for them."""
    from stylesearch.catalog import Catalog
    from stylesearch.evaluation.results import StudySettings
    from stylesearch.evaluation.study import evaluate
    from stylesearch.features.context import StudyContext
    from stylesearch.testing.fake_extractor import FakeExtractor

    shutil.copytree(fresh, tmp_path / "home")
    images = tmp_path / "pictures"
    images.mkdir()
    for file in fresh.glob("*.png"):
        shutil.copy(file, images)
    shutil.copy(fresh / "table.csv", images)
    from stylesearch.importers.tables.importer import TableImporter
    from stylesearch.ingest import IngestOptions, ingest

    with Catalog.open(tmp_path / "catalog.db") as catalog:
        ingest(catalog, images / "table.csv", TableImporter(), [FakeExtractor(seed=9)], IngestOptions())
        (images / "0-shop.png").unlink()
        shutil.copy(images / "1-shop.png", images / "2-consumer.png")
        context = StudyContext(catalog, lambda name: FakeExtractor(), None, tmp_path / "cache")  # type: ignore[arg-type]
        study = evaluate(context, StudySettings(("fake",), ("l1",), (1,)))
    assert study.gallery.n_unreadable == 1
    assert study.gallery.n_images == 29
    assert {(one.reason, one.n) for one in study.queries.left_out} == {
        ("no right product in the gallery", 1),
        ("the picture could not be used: the file has changed since it was ingested: ingest again", 1),
    }
    assert study.queries.n_queries == 28


def test_the_row_of_the_method_that_queries_use_is_marked(streets: Path, stylesearch: Any) -> None:
    arguments = ["--methods", f"{NAME},{NAME}/mixed", "--metrics", "l1,cosine", "--regions", "whole"]
    shown = stylesearch("--home", streets, "eval", *arguments).out.splitlines()
    (marked,) = [line for line in shown if line.split()[1:2] == ["*"]]
    assert marked.split()[:3] == [f"{NAME}/mixed", "*", "cosine"]
    assert "* what `stylesearch query` searches with" in shown
    others = stylesearch("--home", streets, "eval", "--methods", NAME, "--regions", "whole").out
    assert "*" not in others
    with ss.open(streets, space="raw", metric="l2") as shop:
        assert shop.search_method == (NAME, "l2")
