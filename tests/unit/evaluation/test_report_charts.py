"""Charts: that they can be drawn of odd studies, hold every figure, and are the same bytes each time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from stylesearch.evaluation.report.charts.maps import (
    MIN_IMAGES,
    THUMBNAIL,
    dot_map,
    select_without_overlap,
    thumbnail_map,
    tsne_map,
)
from stylesearch.evaluation.report.charts.plots import (
    Series,
    _spread_labels,
    category_confusion,
    curve_ks,
    image_counts,
    score_dots,
    top_k_curves,
)
from stylesearch.evaluation.report.charts.style import (
    CATEGORY_COLORS,
    COLORS,
    chart_style,
    color_of,
    drawable_text,
    marker_of,
    save_figure,
)
from stylesearch.evaluation.results import CatalogFacts, CategoryCounts, Columns, StudySettings
from stylesearch.evaluation.scores import runs_of

pytestmark = pytest.mark.slow

ODD = [
    "dress",
    "$5 bags_$",
    "花柄ワンピース",
    "DRESSES/Sleeveless_Dress with a very long name indeed",
    "a\nb",
]


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with chart_style():
        yield


def series_of(categories: list[str], n_runs: int = 2) -> tuple[list[Series], StudySettings]:
    names = [name for name in categories for _ in range(6)]
    settings = StudySettings(tuple(f"m{i}" for i in range(n_runs)), ("l1",), (1, 5), n_resamples=40)
    rng = np.random.default_rng(0)
    columns = {}
    for method in settings.methods:
        ranks = rng.integers(0, 9, len(names))
        empty = np.zeros((len(names), 1))
        columns[method, "l1"] = Columns(
            ranks,
            ranks * 0 + 1,
            1 / (ranks + 1),
            ranks,
            ranks * 0.1,
            empty.astype(int),
            empty,
            empty.astype(int),
        )
    runs, _ = runs_of(columns, names, settings)
    return [Series(run.label, run, number) for number, run in enumerate(runs)], settings


def texts(figure: Figure) -> list[str]:
    import matplotlib.text

    return [one.get_text() for one in figure.findobj(matplotlib.text.Text) if one.get_text()]


def test_a_chart_is_the_same_bytes_each_time_and_holds_no_date(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        series, settings = series_of(["dress", "skirt"])
        save_figure(top_k_curves(series, settings, 40), tmp_path / folder, "chart")
    for ending in ("png", "svg"):
        first = (tmp_path / f"one/chart.{ending}").read_bytes()
        assert first == (tmp_path / f"two/chart.{ending}").read_bytes()
        assert len(first) > 5000
        assert b"matplotlib.org" not in first
        assert b"dc:date" not in first


@pytest.mark.parametrize("n_runs", [1, 2, 9])
@pytest.mark.parametrize("categories", [["dress"], ODD, [f"category {i:02}" for i in range(25)]])
def test_charts_of_few_many_and_odd_categories(tmp_path: Path, categories: list[str], n_runs: int) -> None:
    series, settings = series_of(categories, n_runs)
    figure = score_dots(series, "top-5")
    save_figure(figure, tmp_path, "dots")
    shown = texts(figure)
    assert "macro" in shown
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert sum("(6)" in text for text in labels) == len(categories)
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() not in ("None", "")]
    for line, one in zip(dots, series, strict=True):
        values = [
            scores.values["top-5"].value for scores in (*one.run.categories, one.run.macro, one.run.micro)
        ]
        assert np.allclose(line.get_xdata(), 100 * np.array(values))
    curves = top_k_curves(series, settings, 30)
    save_figure(curves, tmp_path, "curves")
    assert all(any(one.label[:2] in text for text in texts(curves)) for one in series)


def test_curves_of_one_color_have_another_line() -> None:
    series, settings = series_of(["dress"], 9)
    lines = top_k_curves(series, settings, 30).axes[0].get_lines()[1:]  # the first is chance
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(lines) == len(looks) == 9
    assert {line.get_linestyle() for line in lines[:7]} == {"-"}


def test_nothing_is_cut_off_or_hidden_behind_the_edge() -> None:
    series, _ = series_of(ODD)
    figure = score_dots(series, "top-5")
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for label in (*figure.axes[0].get_yticklabels(), *figure.legends[0].get_texts()):
        box = label.get_window_extent(renderer)
        assert box.x0 >= 0, label.get_text()
        assert box.x1 <= figure.bbox.width, label.get_text()


def test_counts_are_written_beside_the_bars(tmp_path: Path) -> None:
    counts = tuple(CategoryCounts(name, 5, 1200 + number, number) for number, name in enumerate(ODD))
    figure = image_counts(CatalogFacts(25, 6010, 10, 0, counts))
    save_figure(figure, tmp_path, "counts")
    assert {"1,200", "1,204", "0", "4"} <= set(texts(figure))
    empty = CatalogFacts(1, 0, 0, 0, (CategoryCounts("dress", 1, 0, 0),))
    save_figure(image_counts(empty), tmp_path, "empty")


def test_a_confusion_shows_shares_of_rows(tmp_path: Path) -> None:
    figure = category_confusion(["a", "b", "c"], np.array([[3, 1, 0, 0], [0, 0, 2, 2]]))
    save_figure(figure, tmp_path, "confusion")
    shown = texts(figure)
    assert shown.count("75") == 1
    assert shown.count("50") == 2
    assert {"a (4)", "b (4)", "c"} <= set(shown)


def test_a_confusion_of_queries_that_nothing_answered(tmp_path: Path) -> None:
    """An index may answer with nothing at all."""
    save_figure(category_confusion(["a", "b"], np.array([[0, 0, 0], [1, 0, 0]])), tmp_path, "confusion")


def test_labels_are_kept_apart_within_the_axis() -> None:
    sizes = [8.0, 4.0, 8.0, 4.0]
    places = _spread_labels([50, 99, 100, 100], sizes)
    assert places[0] == 50
    for below, above, size, next_size in zip(places, places[1:], sizes, sizes[1:], strict=False):
        assert above - below >= (size + next_size) / 2 - 1e-9
    assert places[-1] + sizes[-1] / 2 <= 100


@pytest.mark.parametrize(("ks", "n_products"), [((1, 5, 50), 60), ((20,), 5), ((1,), 1), ((3, 200), 10_000)])
def test_curves_have_every_k_that_was_asked_for(ks: tuple[int, ...], n_products: int) -> None:
    found = curve_ks(ks, n_products)
    assert found == sorted(set(found))
    assert found[0] == 1
    assert {k for k in ks if k <= n_products} <= set(found)
    assert found[-1] == max(2, min(max(ks), n_products))


def test_colors_and_shapes_tell_things_apart() -> None:
    assert len({(color_of(number), marker_of(number)) for number in range(49)}) == 49
    assert len(set(COLORS)) == 7
    assert len(set(CATEGORY_COLORS)) == 9


def test_letters_that_the_font_lacks_become_boxes() -> None:
    assert drawable_text("été Юбка") == "été Юбка"
    assert drawable_text("花柄") == "□□"


def clusters() -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 20, (3, 64))
    features = np.concatenate([centre + rng.normal(0, 1, (15, 64)) for centre in centres])
    return features.astype(np.float32), [name for name in ("dress", "skirt", "花柄") for _ in range(15)]


def test_a_map_keeps_alike_images_together_and_is_the_same_each_time(tmp_path: Path) -> None:
    features, categories = clusters()
    kept = features.copy()
    places = tsne_map(features, seed=1)
    assert np.array_equal(features, kept)
    assert places.shape == (45, 2)
    assert np.abs(places).max() == pytest.approx(1)
    assert np.array_equal(places, tsne_map(features, seed=1))
    names = np.asarray(categories)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(45)
    assert (names[apart.argmin(axis=1)] == names).all()
    figure = dot_map(places, categories, {"dress": 0, "skirt": 1, "花柄": 2, "absent": 3})
    save_figure(figure, tmp_path, "map")
    assert {"dress", "skirt", "□□"} <= set(texts(figure))
    assert "absent" not in texts(figure)
    half = dot_map(places, categories, {"dress": 0, "skirt": 1, "花柄": 2}, n_filled=20)
    n_dots = {
        filled: sum(
            len(one.get_offsets())
            for one in half.axes[0].collections
            if bool(len(one.get_facecolor())) == filled
        )
        for filled in (True, False)
    }
    assert n_dots == {True: 20, False: 25}
    shown = select_without_overlap(places, 7)
    assert len(shown) <= 7
    pixels = [np.full((8, 8, 3), 200, np.uint8)] * len(shown)
    save_figure(
        thumbnail_map(
            places[shown], pixels, [categories[i] for i in shown], {"dress": 0, "skirt": 1, "花柄": 9}
        ),
        tmp_path,
        "thumbnails",
    )


def test_thumbnails_do_not_cover_each_other() -> None:
    places = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    shown = places[select_without_overlap(places, 500)]
    apart = np.abs(shown[:, None] - shown[None]).max(axis=2) + 9 * np.eye(len(shown))
    assert apart.min() >= THUMBNAIL
    assert len(shown) > 50


@pytest.mark.parametrize(
    "features", [np.ones((MIN_IMAGES, 5)), np.arange(MIN_IMAGES)[:, None] * np.ones((1, 1))]
)
def test_a_map_of_equal_or_narrow_features(features: np.ndarray, tmp_path: Path) -> None:
    places = tsne_map(features.astype(np.float32), seed=0)
    assert np.isfinite(places).all()
    save_figure(dot_map(places, ["dress"] * MIN_IMAGES, {"dress": 0}), tmp_path, "map")


def test_too_few_images_make_no_map() -> None:
    with pytest.raises(ValueError, match="at least"):
        tsne_map(np.zeros((MIN_IMAGES - 1, 4), np.float32), 0)


def test_the_charts_are_a_leaf() -> None:
    """Importing the package itself loads no drawing library."""
    spec = importlib.util.find_spec("stylesearch.evaluation.report.charts")
    assert spec is not None
    assert spec.origin is not None
    assert "import" not in Path(spec.origin).read_text()
