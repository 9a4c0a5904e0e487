"""The report as a folder: a page that works alone, hides nothing, and is the same bytes each time."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylesearch.catalog import Catalog
from stylesearch.errors import MissingDependency
from stylesearch.evaluation.compare import compare
from stylesearch.evaluation.report.report import write_report
from stylesearch.evaluation.results import Study, StudySettings
from stylesearch.evaluation.results_files import json_text, percent, study_from_json
from stylesearch.evaluation.sample import Features, read_sample, sampled_gallery, sampled_queries
from stylesearch.evaluation.study import evaluate
from stylesearch.extractors import load_extractor
from stylesearch.features.context import StudyContext
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.ingest import IngestOptions, ingest
from stylesearch.testing.fake_extractor import FakeExtractor

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script>"
CATEGORIES = ["dress", '<i/onload=x() skirts & "tops"', "花柄"]
N = 36


@contextmanager
def study_context(home: Path) -> Iterator[StudyContext]:
    def load(name: str) -> Any:
        return FakeExtractor(name=name) if name.startswith("fake") else load_extractor(name)

    with Catalog.open(home / "catalog.db") as catalog:
        yield StudyContext(catalog, load, None, home / "cache")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 products of three categories with a shop picture and a photo each, and names to beware of."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(8)
    lines = ["id,category,title,image,domain,box"]
    for number in range(N):
        colors = rng.integers(0, 255, (4, 3, 3)).astype(np.uint8)
        category = CATEGORIES[number % 3].replace('"', '""')
        for domain in ("shop", "consumer"):
            # Far enough from its product to be missed at times.
            shifted = np.clip(colors + rng.normal(0, 90, colors.shape), 0, 255).astype(np.uint8)
            Image.fromarray(np.kron(shifted, np.ones((12, 12, 1), np.uint8))).save(
                home / f"{number}-{domain}.png"
            )
            box = '"2,3,34,45"' if domain == "consumer" else ""
            lines.append(f'p{number:02},"{category}",{EVIL} {number},{number}-{domain}.png,{domain},{box}')
    (home / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    with Catalog.open(home / "catalog.db") as catalog:
        report = ingest(catalog, home / "table.csv", TableImporter(), [FakeExtractor()], IngestOptions())
    assert report.added == 2 * N, report.failed
    return home


def studied(home: Path, regions: str) -> tuple[Study, Features]:
    settings = StudySettings(
        ("color-histogram", "fake", "fake/whitened"),
        ("l1", "cosine"),
        (1, 5, 10),
        regions=regions,
        n_resamples=200,
    )
    with study_context(home) as context:
        study = evaluate(context, settings)
        return study, read_sample(study, context.catalog, context.cache)


@pytest.fixture(scope="module")
def study(home: Path) -> tuple[Study, Features]:
    return studied(home, "few")


@pytest.fixture(scope="module")
def report(study: tuple[Study, Features], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    done: list[tuple[str, int, int]] = []
    older = replace(study[0], runs=study[0].runs[:2])
    page = write_report(
        study[0],
        folder,
        compare(study[0], older),
        features=study[1],
        progress=lambda section, n, total: done.append((section, n, total)),
    )
    assert page == folder / "index.html"
    assert [n for _, n, _ in done] == list(range(len(done)))
    assert {total for _, _, total in done} == {len(done) - 1}
    assert "maps" in [section for section, _, _ in done]
    return folder


TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "nav",
    "section",
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "li",
    "a",
    "b",
    "figure",
    "figcaption",
    "img",
    "div",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "code",
}


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.captions: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "link", "br"):
            self.open.append(tag)
        if tag in ("figcaption", "caption"):
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"figcaption", "caption"} & set(self.open):
            self.captions[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(self.words)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(report: Path) -> None:
    page = Page(report / "index.html")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in [*(one["href"] for one in page.all("a")), *(one["src"] for one in page.all("img"))]:
        assert link is not None
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("results."):
            assert (report / link).stat().st_size > 0
    assert "http://" not in page.text
    assert not re.search(r"(src|href)=\"(https?:)?//", (report / "index.html").read_text())
    assert all(one["alt"] for one in page.all("img"))
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_names_from_the_catalog_are_shown_and_do_nothing(report: Path) -> None:
    page = Page(report / "index.html")
    assert page.all("script") == []
    assert {tag for tag, _ in page.elements} <= TAGS
    # The <b> in a category's name is text; those of the page number its figures.
    assert len(page.all("b")) == len([one for one in page.captions if one.startswith("Figure ")])
    assert EVIL in page.text
    assert CATEGORIES[1] in page.text
    assert CATEGORIES[2] in page.text


def test_every_section_says_once_what_was_searched_in_what(
    report: Path, study: tuple[Study, Features]
) -> None:
    text = (report / "index.html").read_text(encoding="utf-8")
    text = re.sub(r'aria-label="[^"]*"', "", text)  # repeats the caption of a table
    gallery = study[0].gallery.description
    queries = study[0].queries.description.replace("`few`", "<code>few</code>")
    of_common = f"the {study[0].queries.n_queries} queries that both studies have (now of {queries})"
    sections = re.findall(r'<section>\n<h2 id="(\w+)">(.*?)</section>', text, re.DOTALL)
    assert len(sections) >= 10
    for anchor, content in sections:
        assert content.count(gallery) == 1, anchor
        searched = {"published": "OTHER DATA", "baseline": f"Searched with {of_common}"}
        assert content.count(searched.get(anchor, f"Searched with {queries}; in {gallery}")) == 1, anchor


def test_no_backticks_are_shown(report: Path) -> None:
    page = Page(report / "index.html")
    assert "`" not in page.text
    assert page.all("code")


def test_a_network_with_colors_has_the_row_of_the_network(
    study: tuple[Study, Features], tmp_path: Path
) -> None:
    methods = tuple(replace(one, extractor="efficientnet-lite0+colors") for one in study[0].methods)
    write_report(replace(study[0], methods=methods), tmp_path)
    rows = re.findall(r"<tr>.*?</tr>", (tmp_path / "index.html").read_text(encoding="utf-8"))
    found = [one for one in rows if "avg_pool, and colors" in one]
    assert len(found) == len(methods)
    assert not [one for one in found if "not known" in one]


def test_the_page_has_the_figures_of_the_study(report: Path, study: tuple[Study, Features]) -> None:
    page = Page(report / "index.html")
    for run in study[0].runs:
        for scores in (run.micro, run.macro, *run.categories):
            for estimate in scores.values.values():
                assert percent(estimate) in page.text
    for words in ("Figure 2", "Figure 5", "Figure 6", "Figure 7", "Figure 9", "Figure 10", "Table 1"):
        assert f"2018 study's {words}" in page.text


def test_each_chart_is_there_as_png_and_svg(report: Path) -> None:
    charts = sorted(path.name for path in (report / "charts").iterdir())
    stems = {name.rpartition(".")[0] for name in charts}
    assert charts == sorted(f"{stem}.{ending}" for stem in stems for ending in ("png", "svg"))
    names = {re.sub(r"figure-\d+-", "", stem) for stem in stems}
    assert {
        "top-k",
        "networks",
        "methods",
        "metrics-color-histogram",
        "metrics-fake",
        "pictures",
        "map-fake",
        "thumbnails-fake",
        "map-color-histogram",
        "confusion",
    } <= names
    for path in (report / "charts").glob("*.png"):
        with Image.open(path) as image:
            assert image.width == pytest.approx(1120, abs=4)


def test_the_same_study_gives_the_same_bytes_and_older_charts_go(
    report: Path, study: tuple[Study, Features], tmp_path: Path
) -> None:
    older = replace(study[0], runs=study[0].runs[:2])
    write_report(study[0], tmp_path, features=study[1])
    (tmp_path / "charts/figure-99-old.png").write_bytes(b"old")
    (tmp_path / "charts/mine.txt").write_text("not of the report")
    write_report(study[0], tmp_path, compare(study[0], older), features=study[1])
    (tmp_path / "charts/mine.txt").unlink()
    files = {path.relative_to(report) for path in report.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == files
    for file in files:
        assert (report / file).read_bytes() == (tmp_path / file).read_bytes(), file


def test_a_study_from_a_file_without_its_catalog_or_images(
    home: Path, study: tuple[Study, Features], tmp_path: Path
) -> None:
    import json

    text = json_text(study[0]).replace(str(home), str(tmp_path / "gone"))
    write_report(study_from_json(json.loads(text)), tmp_path / "report")
    page = Page(tmp_path / "report/index.html")
    assert "No map" in page.text
    assert "pictures can no longer be read" in page.text
    assert not (tmp_path / "report/pictures").exists()


@pytest.mark.parametrize("regions", ["whole", "box", "few"])
def test_the_sample_has_the_features_that_were_searched_with(home: Path, regions: str) -> None:
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import crop, crops, plan_boxes

    study, features = studied(home, regions)
    fake = FakeExtractor(name="fake")
    assert set(features) == {method.fingerprint for method in study.methods}
    found = features[fake.fingerprint]
    assert len(sampled_queries(study)) == len(sampled_gallery(study)) == N
    assert len(found) == 2 * N
    for place, vector in list(zip(sampled_gallery(study), found[N:], strict=True))[:5]:
        decoded = decode(study.gallery.images[place].path)
        pixels = crops(decoded, plan_boxes("whole", decoded.width, decoded.height), fake.input_size)
        assert np.allclose(vector, fake.extract(pixels)[0], atol=2e-2)
    for place, vector in list(zip(sampled_queries(study), found[:N], strict=True))[:5]:
        query = study.queries.images[place]
        decoded = decode(query.path)
        if regions == "box":
            assert query.box is not None
            pixels = crop(decoded, query.box, fake.input_size)[None]
        else:
            pixels = crops(decoded, plan_boxes("whole", decoded.width, decoded.height), fake.input_size)
        assert np.allclose(vector, fake.extract(pixels)[0], atol=2e-2)


def test_a_catalog_without_the_features_gives_no_sample(
    home: Path, study: tuple[Study, Features], tmp_path: Path
) -> None:
    shutil.copy(home / "catalog.db", tmp_path / "catalog.db")
    other = replace(study[0], methods=tuple(replace(one, fingerprint="f" * 64) for one in study[0].methods))
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        assert read_sample(other, catalog, home / "cache") == {}


@pytest.mark.parametrize("library", ["jinja2", "matplotlib", "sklearn"])
def test_what_to_install_is_said(
    library: str, study: tuple[Study, Features], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependency, match=library) as caught:
        write_report(study[0], tmp_path / "report")
    assert "stylesearch[report]" in caught.value.hint
    assert not (tmp_path / "report").exists()


def test_one_method_one_metric_one_k(home: Path, tmp_path: Path) -> None:
    with study_context(home) as context:
        study = evaluate(context, StudySettings(("fake",), ("cosine",), (1,), n_resamples=20))
    write_report(study, tmp_path)
    page = Page(tmp_path / "index.html")
    assert "nothing to compare it with" in page.text
    assert "cosine" in page.text
