"""Parts of the report's page: escaping, which queries and scores are shown, where labels go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stylesearch.evaluation.report import examples, methods
from stylesearch.evaluation.report.chart_selection import best_runs, chart_k, is_white_box
from stylesearch.evaluation.report.context import ReportContext
from stylesearch.evaluation.report.images import ImageFolder
from stylesearch.evaluation.report.page import (
    Block,
    Card,
    Chart,
    Details,
    FileLinks,
    Heading,
    ItemList,
    Paragraph,
    Section,
    Sheet,
    Table,
    Thumbnail,
    render_page,
)
from stylesearch.evaluation.results import (
    CatalogFacts,
    Columns,
    EqualImages,
    GalleryFacts,
    Method,
    QueryFacts,
    Run,
    Study,
    StudyImage,
    StudySettings,
)
from stylesearch.evaluation.scores import differences_of, runs_of
from stylesearch.types import Box

CATEGORIES = ["dress", "skirt", "top"]
N = 9


def study_images(n: int) -> tuple[StudyImage, ...]:
    return tuple(
        StudyImage(f"p{i}", f"Product {i}", CATEGORIES[i % 3], f"/{i}.jpg", f"{i:064x}", Box(1, 2, 3, 4))
        for i in range(n)
    )


def study_of(
    ranks: dict[tuple[str, str], list[int]], n_products: int = N, regions: str = "whole", **changes: object
) -> Study:
    """Queries of products 0, 1, 2, ...; the hits are products 0, 1, ... but for the right one at its rank."""
    n = len(next(iter(ranks.values())))
    gallery, queries = study_images(n_products), study_images(n)
    columns = {}
    for key, of_run in ranks.items():
        hits = np.full((n, n_products), -1)
        for query, rank in enumerate(of_run):
            others = [product for product in range(n_products) if product != query]
            hits[query] = [*others[: rank - 1], query, *others[rank - 1 :]]
        columns[key] = Columns(
            n_nearer=np.array(of_run) - 1,
            n_tied=np.ones(n, np.int64),
            average_precision=1 / np.array(of_run),
            right_image=np.arange(n),
            right_distance=np.linspace(0.1, 0.2, n),
            hit_images=hits,
            hit_distances=np.tile(np.linspace(0, 1, n_products), (n, 1)),
            hit_regions=np.tile(np.arange(n_products) % 4, (n, 1)),
        )
    methods = tuple(dict.fromkeys(method for method, _ in ranks))
    settings = StudySettings(
        methods=methods,
        metrics=tuple(dict.fromkeys(metric for _, metric in ranks)),
        ks=(1, 5, 20),
        n_resamples=50,
        regions=regions,
    )
    settings = replace(settings, **changes)  # type: ignore[arg-type]
    runs, resampled = runs_of(columns, [one.category for one in queries], settings)
    counts = {name: sum(one.category == name for one in queries) for name in CATEGORIES}
    return Study(
        settings=settings,
        catalog=CatalogFacts(n_products, n_products, n, 0, ()),
        gallery=GalleryFacts("all", n_products, n_products, counts, 0, "g", gallery),
        queries=QueryFacts("photos", n, n, n, counts, 0, (), EqualImages(0, 0, ()), "q", queries),
        methods=tuple(
            Method(name, name, 64, f"f-{name}", "w", 8, "raw", 8, "v") for name in settings.methods
        ),
        runs=runs,
        differences=differences_of(runs, resampled, settings),
    )


def only_run(study: Study) -> Run:
    (run,) = study.runs
    return run


EVIL = "<script>alert('1')</script> & \"co\" {{ 7 * 191 }}"
BLOCKS: list[tuple[Block, int]] = [
    (Paragraph(EVIL, EVIL), 2),
    (Heading(EVIL), 1),
    (ItemList([EVIL, EVIL], EVIL), 3),
    (Table(EVIL, [EVIL, EVIL], [[EVIL, EVIL]], strong=(0,)), 6),
    (Chart(1, EVIL, EVIL, EVIL), 5),
    (Sheet(EVIL, EVIL), 4),
    (Card(EVIL, [Thumbnail(EVIL, 9, EVIL, EVIL), Thumbnail(None, 9, EVIL, EVIL)], EVIL), 6),
    (Details(EVIL, Table(EVIL, [EVIL], [[EVIL]])), 5),
    (Details(EVIL, ItemList([EVIL])), 2),
    (FileLinks(EVIL, [EVIL]), 3),
]


@pytest.mark.parametrize(("block", "n_texts"), BLOCKS, ids=lambda value: type(value).__name__)
def test_text_is_escaped_wherever_it_is_put(block: Block, n_texts: int) -> None:
    page = render_page(EVIL, [block], [Section(EVIL, EVIL, [block])])
    assert "<script" not in page
    assert "1337" not in page
    escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &#34;co&#34; {{ 7 * 191 }}"
    # Besides the block itself, twice: title and h1; link, contents, anchor and heading of the section.
    assert page.count(escaped) == page.count("script&gt;alert") == 2 * n_texts + 6


def test_every_kind_of_block_is_laid_out() -> None:
    assert {type(block) for block, _ in BLOCKS} == set(Block.__args__)


@pytest.mark.parametrize(
    ("n_products", "ks", "expected"),
    [
        (60, (1, 5, 20), 1),
        (147, (1, 5, 10, 20), 5),
        (400, (1, 20, 50), 20),
        (10_000, (1, 50), 1),
        (9, (50,), 50),
    ],
)
def test_charts_show_a_k_at_which_chance_finds_little(
    n_products: int, ks: tuple[int, ...], expected: int
) -> None:
    study = study_of({("m", "l1"): [1] * N})
    study = replace(
        study,
        settings=replace(study.settings, ks=ks),
        gallery=replace(study.gallery, n_products=n_products),
    )
    assert chart_k(study) == expected


def test_each_method_is_shown_with_its_best_metric() -> None:
    study = study_of(
        {
            ("hog", "l1"): [2] * N,
            ("hog", "l2"): [1, *[2] * (N - 1)],
            ("net", "l1"): [1, 3, *[5] * (N - 2)],
            ("net", "l2"): [1, 2, *[5] * (N - 2)],  # as many first places: the mean reciprocal rank decides
        }
    )
    assert {label: run.metric for label, run in best_runs(study).items()} == {"hog": "l2", "net": "l2"}
    assert is_white_box(study, "hog")
    assert not is_white_box(study, "net")


def test_of_equal_metrics_the_default_is_shown() -> None:
    study = study_of({("net", metric): [1] * N for metric in ("l1", "cosine", "l2")})
    assert {label: run.metric for label, run in best_runs(study).items()} == {"net": "cosine"}


def test_confusions_count_the_right_product_apart_from_its_category() -> None:
    # Not first: queries 3 and 4, whose first hit is product 0, a dress.
    study = study_of({("m", "l1"): [1, 1, 1, 2, 2, 1, 1, 1, 1]})
    names, counts = examples.count_confusions(study, only_run(study))
    assert names == CATEGORIES
    assert counts.tolist() == [[2, 1, 0, 0], [2, 1, 0, 0], [3, 0, 0, 0]]


def test_an_answer_without_hits_is_no_confusion() -> None:
    study = study_of({("m", "l1"): [1] * N})
    run = only_run(study)
    run.columns.hit_images[0] = -1
    assert examples.count_confusions(study, run)[1].sum() == N - 1


def test_a_rank_beyond_what_an_index_was_asked_for_is_not_made_up(tmp_path, monkeypatch) -> None:
    shown = []

    def sheet(self, photo, entries, name, *, subtitle, **others):
        shown.append((subtitle, [entry.rank for entry in entries]))
        return "sheet.jpg"

    monkeypatch.setattr(ImageFolder, "sheet", sheet)
    study = study_of({("a", "l1"): [1, 2, 31]}, n_products=30, index=True)
    hits = only_run(study).columns.hit_images
    hits[2, 20:] = -1
    context = ReportContext(study, tmp_path, {}, None)
    pages = [render_page("", [], [make(context)]) for make in (examples.examples, examples.errors)]
    assert "a, l1: not among the first 20" in pages[1]
    assert any("the right product is not among the first 20" in subtitle for subtitle, _ in shown)
    assert any("the right product comes 2nd" in subtitle for subtitle, _ in shown)
    assert max(rank for _, ranks in shown for rank in ranks) <= 10
    assert not any("31" in page for page in (*pages, *(subtitle for subtitle, _ in shown)))


def test_the_hardest_are_those_that_all_methods_miss() -> None:
    study = study_of({("a", "l1"): [1, 9, 4, 1, 1, 2, 1, 1, 1], ("b", "l1"): [1, 1, 4, 1, 1, 2, 1, 1, 1]})
    # Geometric means: 3 for the second, 4 for the third, 2 for the sixth.
    assert examples.hardest_queries(best_runs(study), 10) == [2, 1, 5]
    assert examples.hardest_queries(best_runs(study), 1) == [2]


def test_examples_are_drawn_by_seed_over_categories_in_the_order_of_ranks() -> None:
    ranks = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    study = study_of({("m", "l1"): ranks})
    chosen = examples.choose_examples(study, only_run(study), 6, 3)
    assert (chosen.n_found, chosen.n_missed) == (6, 3)
    assert set(chosen.found) <= set(range(6))
    assert chosen.found == sorted(chosen.found)
    assert chosen.missed == [6, 7, 8]
    assert {study.queries.images[place].category for place in chosen.found} == set(CATEGORIES)
    assert examples.choose_examples(study, only_run(study), 6, 3) == chosen
    others = {
        tuple(
            examples.choose_examples(
                replace(study, settings=replace(study.settings, seed=seed)), only_run(study), 6, 3
            ).found
        )
        for seed in range(10)
    }
    assert len(others) > 1


@pytest.mark.parametrize(
    ("regions", "expected"),
    [("whole", []), ("box", [Box(1, 2, 3, 4)]), ("few", [Box(10, 100, 90, 200)])],
)
def test_the_part_that_was_nearest_is_outlined(regions: str, expected: list[Box]) -> None:
    study = study_of({("m", "l1"): [1] * N}, regions=regions)
    run = only_run(study)
    run.columns.hit_regions[0, 0] = 3 if regions == "few" else 0
    assert examples.nearest_region(study, run, 0, (100, 200)) == expected


@pytest.mark.parametrize(
    ("regions", "number", "expected"),
    [
        ("bands", 0, [Box(10, 0, 90, 100)]),  # a plan without the whole photo
        ("bands", -1, []),  # no hit
        ("large", 0, []),
        ("person", 1, [Box(10, 0, 90, 160)]),
        ("person", 0, []),
    ],
)
def test_the_part_is_that_of_the_plan(regions: str, number: int, expected: list[Box]) -> None:
    study = study_of({("m", "l1"): [1] * N}, regions=regions)
    study = replace(study, queries=replace(study.queries, n_with_person=0))
    run = only_run(study)
    run.columns.hit_regions[0, 0] = number
    assert examples.nearest_region(study, run, 0, (100, 200)) == expected


@pytest.mark.parametrize(("n_with_person", "is_outlined"), [(0, True), (1, False), (N, False)])
def test_no_part_is_promised_where_persons_were_found(tmp_path, n_with_person, is_outlined):
    study = study_of({("m", "l1"): [1] * N}, regions="person")
    study = replace(study, queries=replace(study.queries, n_with_person=n_with_person))
    run = only_run(study)
    run.columns.hit_regions[0, 0] = 1
    assert bool(examples.nearest_region(study, run, 0, (100, 200))) == is_outlined
    text = examples.examples(ReportContext(study, tmp_path, {}, None)).blocks[0].text
    assert ("on it the part that was nearest" in text) == is_outlined
    assert "the query, " in text


@pytest.mark.parametrize(
    ("extractor", "layer", "parameters"),
    [
        ("efficientnet-lite0", "avg_pool", "3,413,024"),
        ("efficientnet-lite0+colors", "avg_pool, and colors", "3,413,024"),
        ("efficientnet-lite0+texture", "avg_pool, and texture", "3,413,024"),
        ("efficientnet-lite0+texture+colors", "avg_pool, and texture, and colors", "3,413,024"),
        ("models/own.keras+colors", "its own, and colors", "not known"),
    ],
)
def test_what_stands_behind_a_network_is_no_other_network(tmp_path, extractor, layer, parameters):
    study = study_of({("a", "l1"): [1, 2, 3]})
    study = replace(study, methods=tuple(replace(one, extractor=extractor) for one in study.methods))
    (table,) = methods.extractors(ReportContext(study, tmp_path, {}, None)).blocks
    assert table.rows[0][1:4] == [layer, "8", parameters]
