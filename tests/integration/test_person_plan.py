"""Searches and studies with the region plan ``person`` look at a photo in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.persons import regions

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("person_files")]

EXTRACTOR = "color-histogram"


@pytest.fixture(scope="module")
def home(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn shop with its street photos, and the plan in its settings."""
    home = tmp_path_factory.mktemp("person")
    (home / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "person"\n')
    with ss.open(home) as shop:
        shop.ingest(drawn_shop / "products.csv")
        shop.ingest(drawn_shop / "street.csv", domain="consumer")
    return home


def test_a_study_ranks_as_searches_answer(home: Path) -> None:
    with ss.open(home) as shop:
        study = shop.evaluate([f"{EXTRACTOR}/mixed"], regions="person", metrics=["cosine", "l1"])
        indexed = shop.evaluate(
            [f"{EXTRACTOR}/mixed"], regions="person", metrics=["cosine", "l1"], index=True
        )
        assert len(study.queries.images) == 24
        n_joined, with_person = 0, set()
        for metric in ("cosine", "l1"):
            run = next(one for one in study.runs if one.metric == metric)
            again = next(one for one in indexed.runs if one.metric == metric)
            for place, photo in enumerate(study.queries.images):
                answer = shop.query(photo.path, k=24, metric=metric)
                n_joined += len(answer.regions) in (5, 6)  # three bands, and two or three parts
                if len(answer.regions) < 9:
                    with_person.add(photo.path)
                ids = [hit.product.id for hit in answer]
                assert ids.index(photo.product) == run.columns.n_nearer[place]
                assert again.columns.n_nearer[place] == run.columns.n_nearer[place]
                assert answer[0].region in answer.regions
                if len(answer.regions) < 9:  # the nearest pair is shown by its square
                    assert answer[0].region in answer.regions[3:]
        assert n_joined >= 24
        assert study.queries.n_with_person == indexed.queries.n_with_person == len(with_person)


def test_without_a_person_the_hits_are_those_of_large(
    home: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        def find(self, pixels: object, max_persons: int = 4) -> list[object]:
            return []

    monkeypatch.setattr(regions, "_FINDER", Nobody())
    photo = next((drawn_shop / "street").glob("*.jpg"))
    with ss.open(home) as shop:
        found, large = shop.query(photo), shop.query(photo, regions="large")
        assert found.regions == large.regions
        assert [(hit.product.id, hit.distance) for hit in found] == [
            (hit.product.id, hit.distance) for hit in large
        ]


def test_a_box_is_searched_alone(home: Path, drawn_shop: Path) -> None:
    photo = next((drawn_shop / "street").glob("*.jpg"))
    with ss.open(home) as shop:
        assert shop.query(photo, box=(10, 10, 200, 200)).regions == (ss.Box(10, 10, 200, 200),)
