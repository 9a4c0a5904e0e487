"""Studies made by hand: their JSON, their tables, and what is said of a newer one against them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.evaluation import results, results_files
from stylesearch.evaluation.compare import compare
from stylesearch.evaluation.results import Columns, Study, StudyImage, StudySettings
from stylesearch.evaluation.results_files import json_text, load_study, notes, save_results, study_from_json
from stylesearch.evaluation.scores import differences_of, runs_of, top_k_curve
from stylesearch.types import Box

N = 60
RNG = np.random.default_rng(0)
RANKS = {"good": RNG.integers(1, 4, N), "poor": RNG.integers(1, 40, N)}


def columns_of(ranks: np.ndarray) -> Columns:
    n = len(ranks)
    return Columns(
        n_nearer=ranks - 1,
        n_tied=np.ones(n, np.int64),
        average_precision=1 / ranks,
        right_image=np.zeros(n, np.int64),
        right_distance=np.full(n, 0.123456789),
        hit_images=np.tile([0, -1], (n, 1)),
        hit_distances=np.tile([0.5, np.nan], (n, 1)),
        hit_regions=np.tile([0, -1], (n, 1)),
    )


def dress_or_skirt(number: int) -> str:
    return "dress" if number % 3 else "skirt"


def study_of(
    ranks: dict[str, np.ndarray], first_query: int = 0, category_of=dress_or_skirt, **changes
) -> Study:
    chosen = {"ks": (1, 5), "n_resamples": 300, **changes}
    settings = StudySettings(methods=tuple(ranks), metrics=("l1",), **chosen)
    n = len(next(iter(ranks.values())))
    images = tuple(
        StudyImage(f"p{i:03}", "Ä dress", category_of(i), f"/{i}.jpg", f"{i:064x}", Box(0, 0, 3, 4))
        for i in range(first_query, first_query + n)
    )
    categories = [one.category for one in images]
    runs, resampled = runs_of(
        {(name, "l1"): columns_of(r) for name, r in ranks.items()}, categories, settings
    )
    counts = {name: categories.count(name) for name in sorted(set(categories))}
    return Study(
        settings=settings,
        catalog=results.CatalogFacts(n, n, n, 0, (results.CategoryCounts("dress", n, n, n),)),
        gallery=results.GalleryFacts("all shop pictures", n, n, counts, 0, "d1", images),
        queries=results.QueryFacts(
            description=f"{n} consumer photos",
            n_listed=n + 1,
            n_queries=n,
            n_products=n,
            categories=counts,
            n_without_box=0,
            left_out=(results.LeftOut("no right product in the gallery", 1, ("/lost.jpg",)),),
            equal_images=results.EqualImages(1, 1, (("/0.jpg", "/0.jpg"),)),
            digest="d2",
            images=images,
        ),
        methods=tuple(results.Method(name, name, 224, "f", "w", 8, "raw", 8, "v") for name in ranks),
        runs=runs,
        differences=differences_of(runs, resampled, settings),
        seconds={"total": 1.0},
    )


def test_json_goes_there_and_back_and_times_stay_apart(tmp_path):
    study = study_of(RANKS)
    text = json_text(study)
    assert text == json_text(replace(study, seconds={"total": 2.0}))
    again = study_from_json(json.loads(text))
    assert json_text(again) == text
    assert again.settings == study.settings
    assert again.queries == study.queries
    assert np.isnan(again.runs[0].columns.hit_distances[0, 1])
    path = save_results(study, tmp_path / "report")
    assert json_text(load_study(path)) == json_text(load_study(tmp_path / "report")) == text
    assert json.loads((tmp_path / "report/times.json").read_text()) == {"total": 1.0}


def test_how_many_photos_show_a_person_is_told_where_one_was_looked_for():
    study = study_of(RANKS)
    assert not any("person" in note for note in notes(study))
    study = replace(study, queries=replace(study.queries, n_with_person=3))
    n = study.queries.n_queries
    told = f"A person was found in 3 of {n} queries; the others were looked at through the regions `large`."
    assert told in notes(study)
    stored = json.loads(json_text(study))
    assert stored["queries"]["n_with_person"] == 3
    assert study_from_json(json.loads(json_text(study))).queries == study.queries
    del stored["queries"]["n_with_person"]  # as earlier versions wrote it
    assert study_from_json(stored).queries.n_with_person is None


def test_the_layout_of_the_json_is_fixed():
    """Its bytes are compared between runs: mappings and lists of lists by the line, plain lists on one."""
    value = {
        "b": [1, 2.00000001, float("nan"), None, "ä"],
        "a": {"y": np.array([[0.125, np.inf], [1e-9, 3.0]]), "x": np.array([3, -1]), "e": np.empty((0, 4))},
        "c": ({"k": 1, "j": Box(1, 2, 3, 4)}, {}),
        "d": [],
    }
    expected = """{
 "a": {
  "e": [],
  "x": [3, -1],
  "y": [
   [0.125, null],
   [1e-09, 3.0]
  ]
 },
 "b": [1, 2.0, null, null, "ä"],
 "c": [
  {"j": "1,2,3,4", "k": 1},
  {}
 ],
 "d": []
}"""
    assert "".join(results_files._render(value, "")) == expected


@pytest.mark.slow
def test_many_queries_are_written_and_read_in_little_memory(tmp_path):
    n = 4000
    study = study_of({"good": np.ones(n, np.int64)}, n_resamples=2)
    (run,) = study.runs
    hits = np.tile(np.arange(20), (n, 1))
    columns = replace(run.columns, hit_images=hits, hit_distances=hits / 7, hit_regions=hits)
    study = replace(study, runs=(replace(run, columns=columns),) * 4)
    tracemalloc.start()
    path = save_results(study, tmp_path)
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    again = load_study(path)
    read = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n_bytes = path.stat().st_size
    assert n_bytes > 4_000_000
    assert written < n_bytes / 4
    assert read < 6 * n_bytes  # the bytes and their text, one run's columns as objects, and the arrays
    assert np.array_equal(again.runs[3].columns.hit_images, hits)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "stylesearch-study/1"}', '{"format": "x"}'])
def test_a_file_that_is_no_study_is_refused(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ConfigError, match=r"results\.json"):
        load_study(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("settings", "seed"), "0"),
        (("settings", "ks"), [1, "5"]),
        (("settings", "confidence"), 10**400),
        (("catalog",), []),
        (("queries", "pictures"), [{"n": 1}]),
        (("methods",), {"good": 1}),
        (("runs", 0, "micro", "values", "top-1", "value"), "high"),
        (("runs", 0, "columns"), None),
    ],
)
def test_a_study_with_a_value_of_another_type_is_refused(tmp_path, place, value):
    stored = json.loads(json_text(study_of(RANKS)))
    inner = stored
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (tmp_path / "results.json").write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match=r"results\.json"):
        load_study(tmp_path)


@pytest.mark.parametrize("content", [b"[" * 5000, b"\xff", b'{"format": NaN}', b"[" + b"9" * 5000 + b"]"])
def test_a_damaged_study_is_refused_with_the_line(tmp_path, content):
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"results\.json cannot be read as a study: line 1"):
        load_study(tmp_path)


def test_the_scores_are_means_of_the_queries():
    good = study_of(RANKS).run("good", "l1")
    is_dress = np.arange(N) % 3 > 0
    found = RANKS["good"] == 1
    assert good.micro.values["top-1"].value == pytest.approx(found.mean())
    assert good.macro.values["top-1"].value == pytest.approx(
        (found[is_dress].mean() + found[~is_dress].mean()) / 2
    )
    assert [one.category for one in good.categories] == ["dress", "skirt"]
    assert good.categories[1].n_queries == (~is_dress).sum()
    assert good.micro.values["MRR"].value == pytest.approx((1 / RANKS["good"]).mean())
    curve = top_k_curve(good.columns, [1, 5], study_of(RANKS).settings)
    assert [one.value for one in curve] == [good.micro.values[name].value for name in ("top-1", "top-5")]


def test_a_clear_difference_is_significant_and_signed():
    (top_1,) = [one for one in study_of(RANKS).differences if (one.average, one.score) == ("micro", "top-1")]
    assert (top_1.first, top_1.second) == ("good, l1", "poor, l1")
    assert 0 < top_1.estimate.low <= top_1.estimate.value <= top_1.estimate.high
    assert top_1.p_value < 0.02
    same = study_of({"one": RANKS["good"], "other": RANKS["good"]})
    assert all(one.p_value == 1 and one.estimate.value == 0 for one in same.differences)


def test_many_runs_do_not_hide_a_clear_difference():
    """With 105 pairs, no p-value of 2,000 resamples would survive the adjustment."""
    n = 500
    ranks = {f"run {number:02}": np.full(n, 9) for number in range(15)} | {"run 00": np.ones(n, np.int64)}
    differences = study_of(ranks, n_resamples=2000).differences
    for average in ("micro", "macro"):
        top_1 = [one for one in differences if (one.average, one.score) == (average, "top-1")]
        assert len(top_1) == 105
        for one in top_1:
            if one.first == "run 00, l1":
                assert one.estimate.value == 1
                assert one.p_value <= one.p_adjusted < 0.05
            else:
                assert one.p_adjusted == 1


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    """A category is what a shop has written into a table."""
    study = study_of(RANKS)
    runs = [
        dataclasses.replace(
            run, categories=[dataclasses.replace(one, category="=HYPERLINK(1)") for one in run.categories]
        )
        for run in study.runs
    ]
    save_results(dataclasses.replace(study, runs=runs), tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert "'=HYPERLINK(1)" in {row["category"] for row in rows}
    assert "=HYPERLINK(1)" not in {row["category"] for row in rows}


def test_tables_hold_the_figures(tmp_path):
    study = study_of(RANKS)
    save_results(study, tmp_path, compare(study, study))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    (top_5,) = [
        row for row in rows if (row["method"], row["average"], row["score"]) == ("poor", "micro", "top-5")
    ]
    assert float(top_5["value"]) == pytest.approx((RANKS["poor"] <= 5).mean(), rel=1e-5)
    text = (tmp_path / "results.md").read_text()
    assert {row["searched_in"] for row in rows} == {"all shop pictures"}
    assert {row["searched_with"] for row in rows} == {"60 consumer photos"}
    for section in text.split("\n## ")[1:]:
        assert "in all shop pictures" in section, section
    assert "Searched with the 60 queries that both studies have" in text.split("\n## Against the baseline")[1]
    assert "1 of 61 queries left out: no right product in the gallery." in text
    assert "1 queries are byte for byte in the gallery too" in text
    assert f"| good | l1 | micro | {100 * (RANKS['good'] == 1).mean():.1f} [" in text


def test_a_study_against_itself_is_the_same(tmp_path):
    study = study_of(RANKS)
    save_results(study, tmp_path)
    found = compare(study, load_study(tmp_path))
    assert {one.verdict for one in found.changes} == {"same"}
    assert found.same_gallery
    assert found.n_common == N


def test_what_rose_fell_or_wavered_is_told_apart():
    waver = RANKS["poor"].copy()
    waver[:2] += 20
    before = {"up": RANKS["poor"], "down": RANKS["good"], "waver": RANKS["poor"]}
    now = {"up": RANKS["good"], "down": RANKS["poor"], "waver": waver}
    found = compare(study_of(now), study_of(before))
    verdicts = {
        one.method: one.verdict for one in found.changes if (one.average, one.score) == ("micro", "MRR")
    }
    assert verdicts == {"up": "rose", "down": "fell", "waver": "within noise"}
    up = next(
        one for one in found.changes if (one.method, one.average, one.score) == ("up", "micro", "top-1")
    )
    assert up.change is not None
    assert up.change.value == pytest.approx(up.now - up.before)


def test_many_runs_and_categories_do_not_hide_a_clear_change():
    n_categories, n = 20, 800
    poor, good = np.full(n, 9), np.full(n, 9)
    good[::n_categories] = 1
    names = [f"run {number}" for number in range(6)]

    def made(first: np.ndarray) -> Study:
        ranks = {name: first if name == "run 0" else poor for name in names}
        return study_of(ranks, category_of=lambda i: f"c{i % n_categories:02}", n_resamples=2000)

    found = compare(made(good), made(poor)).changes
    verdicts = {
        (one.method, one.category): one.verdict
        for one in found
        if (one.average, one.score) == ("category", "top-1")
    }
    assert len(verdicts) == 120
    assert verdicts.pop(("run 0", "c00")) == "rose"
    assert set(verdicts.values()) == {"same"}


def test_a_k_that_only_one_study_has_is_named():
    notes = compare(study_of(RANKS, ks=(1, 7)), study_of(RANKS)).notes
    assert "Scores only now: top-7." in notes
    assert "Scores only before: top-5." in notes


def test_only_common_queries_are_compared_and_differences_are_named():
    now = study_of({"good": RANKS["good"]}, first_query=20)
    before = study_of({"good": RANKS["good"], "poor": RANKS["poor"]})
    before = replace(before, gallery=replace(before.gallery, digest="other", description="less"))
    found = compare(now, before)
    assert found.n_common == 40
    assert not found.same_gallery
    assert "The galleries differ" in " ".join(found.notes)
    assert "Only before: poor, l1." in found.notes
    (top_1,) = [one for one in found.changes if (one.average, one.score) == ("micro", "top-1")]
    assert top_1.now == pytest.approx((RANKS["good"][:40] == 1).mean())
    assert top_1.before == pytest.approx((RANKS["good"][20:] == 1).mean())


def test_without_common_queries_nothing_is_claimed():
    found = compare(study_of(RANKS, first_query=500), study_of(RANKS))
    assert {one.verdict for one in found.changes} == {"no common queries"}
    assert all(one.p_value is None for one in found.changes)


@pytest.mark.parametrize(
    ("space", "split", "is_said"),
    [
        ("siamese:mine", "", True),
        ("siamese:mine", "train,test", True),
        ("siamese:mine", "Query, gallery", False),
        ("whitened", "", False),
    ],
)
def test_a_study_of_products_that_a_model_learned_from_says_so(tmp_path, space, split, is_said):
    study = study_of(RANKS, split=split)
    study = replace(study, methods=tuple(replace(one, space=space) for one in study.methods))
    said = [note for note in notes(study) if "learned from products of this catalog" in note]
    assert len(said) == int(is_said)  # once for a model, however many methods have it
    assert (
        "here are too good" in save_results(study, tmp_path).with_name("results.md").read_text()
    ) == is_said
