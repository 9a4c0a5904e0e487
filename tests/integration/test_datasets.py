"""A public dataset from its folders to the catalog, through the command line."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stylesearch
from stylesearch.cli import ingest as ingest_module
from stylesearch.importers.base import CATEGORIES
from stylesearch.types import Box, Domain
from tests.unit.importers.datasets import layouts

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

MAKERS: dict[str, Callable[[Path], Path]] = {
    "deepfashion-c2s": layouts.consumer_to_shop,
    "deepfashion-inshop": layouts.in_shop,
    "street2shop": layouts.street_to_shop,
    "deepfashion2": layouts.deepfashion2,
}
N_IMAGES = {"deepfashion-c2s": 10, "deepfashion-inshop": 5, "street2shop": 8, "deepfashion2": 7}


def catalog_of(home: Path) -> list[tuple[str, str, Domain, Box | None]]:
    """Product, picture, domain and box of everything in a workspace."""
    with stylesearch.open(home) as shop:
        return [
            (product.id, Path(image.path).name, image.domain, image.box)
            for product in shop.products()
            for image in shop.images(product.id)
        ]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "auto"])
def test_a_dataset_is_ingested_and_then_unchanged(
    stylesearch: Command, tmp_path: Path, name: str, is_named: bool
) -> None:
    root, home = MAKERS[name](tmp_path / "dataset"), tmp_path / "home"
    chosen = ["--format", name] if is_named else []
    first = stylesearch("--home", home, "ingest", root, *chosen, "--json")
    assert first.code == 0, first.err
    assert (first.json["added"], first.json["failed"], first.json["missing"]) == (N_IMAGES[name], [], 0)
    again = stylesearch("--home", home, "ingest", root, *chosen, "--json").json
    assert (again["added"], again["unchanged"], again["computed"]) == (0, N_IMAGES[name], 0)
    assert len(catalog_of(home)) == N_IMAGES[name]


def test_one_image_of_two_products_has_a_box_and_features_for_each(
    stylesearch: Command, tmp_path: Path
) -> None:
    root, home = layouts.deepfashion2(tmp_path / "df2"), tmp_path / "home"
    assert stylesearch("--home", home, "ingest", root, "--split", "train").code == 0
    boxes = {row[0]: row[3] for row in catalog_of(home) if row[1] == "000001.jpg"}
    assert boxes == {
        "deepfashion2:train/1/1/1": Box(10, 20, 60, 90),
        "deepfashion2:train/1/2/9": Box(5, 60, 95, 118),
    }
    found = stylesearch("--home", home, "query", "--product", "deepfashion2:train/1/2/9", "--json")
    assert found.code == 0, found.err
    assert found.json["hits"]


def test_missing_images_are_counted_with_examples_and_are_no_failure(
    stylesearch: Command, tmp_path: Path
) -> None:
    root, home = layouts.consumer_to_shop(tmp_path / "c2s"), tmp_path / "home"
    for path in sorted((root / "img").rglob("*.jpg"))[:7]:
        path.unlink()
    done = stylesearch("--home", home, "ingest", root, "--json")
    assert done.code == 0, done.err
    assert (done.json["added"], done.json["missing"], done.json["failed"]) == (3, 7, [])
    examples = done.json["missing_examples"]
    assert len(examples) == 5
    assert examples[0]["item"].endswith("comsumer_01.jpg")
    assert examples[0]["reason"] == f"listed in {root}/Eval/list_eval_partition.txt:3"
    shown = stylesearch("--home", home, "ingest", root)
    assert shown.code == 0
    assert shown.out.strip().endswith("3 unchanged, 0 removed, 0 failed, 7 missing")
    assert shown.err.count("missing: ") == 5
    assert "and 2 more missing images" in shown.err


def test_a_image_that_got_lost_leaves_the_catalog(stylesearch: Command, tmp_path: Path) -> None:
    root, home = layouts.consumer_to_shop(tmp_path / "c2s"), tmp_path / "home"
    assert stylesearch("--home", home, "ingest", root).code == 0
    (root / "img/TOPS/T_Shirt/id_00000218/shop_02.jpg").unlink()
    again = stylesearch("--home", home, "ingest", root, "--json").json
    assert (again["unchanged"], again["missing"], again["removed"]) == (9, 1, 1)
    assert len(catalog_of(home)) == 9


def test_broken_lines_are_failures_and_the_rest_is_in(stylesearch: Command, tmp_path: Path) -> None:
    root = layouts.consumer_to_shop(tmp_path / "c2s", extra=["three columns only"])
    (root / "img/TOPS/T_Shirt/id_00000218/shop_02.jpg").write_bytes(b"<html>gone</html>")
    done = stylesearch("--home", tmp_path / "home", "ingest", root, "--json")
    assert done.code == 3
    assert [Path(failure["item"]).name for failure in done.json["failed"]] == [
        "list_eval_partition.txt:9",
        "shop_02.jpg",
    ]
    assert done.json["added"] == 9


def test_splits_one_after_the_other_and_the_wider_gallery(stylesearch: Command, tmp_path: Path) -> None:
    root, home = layouts.consumer_to_shop(tmp_path / "c2s"), tmp_path / "home"

    def ingest(*options: str) -> dict[str, Any]:
        done = stylesearch("--home", home, "ingest", root, *options, "--json")
        assert done.code == 0, done.err
        return dict(done.json)

    assert ingest("--split", "test")["added"] == 4
    wider = ingest("--split", "test", "--gallery", "val+test")
    assert (wider["added"], wider["unchanged"], wider["removed"]) == (2, 4, 0)
    val = [row[1:3] for row in catalog_of(home) if row[0] == "deepfashion-c2s:id_00000218"]
    assert val == [("shop_01.jpg", Domain.SHOP), ("shop_02.jpg", Domain.SHOP)]
    assert ingest("--split", "val", "--split", "train")["added"] == 4
    # A narrower run takes nothing away of what it was not asked about, unless it is told to.
    assert ingest("--split", "test", "--gallery", "all")["removed"] == 0
    assert len(catalog_of(home)) == 10
    assert ingest("--split", "test", "--prune", "--force")["removed"] == 6
    assert {row[0] for row in catalog_of(home)} == {
        "deepfashion-c2s:id_00000007",
        "deepfashion-c2s:id_00000300",
    }


def test_the_study_s_groups_become_categories_without_computing_anything_again(
    stylesearch: Command, tmp_path: Path
) -> None:
    root, home = layouts.consumer_to_shop(tmp_path / "c2s"), tmp_path / "home"
    assert stylesearch("--home", home, "ingest", root).code == 0
    moved = stylesearch("--home", home, "ingest", root, "--categories", "seed", "--json").json
    assert (moved["changed"], moved["computed"]) == (10, 0)
    again = stylesearch("--home", home, "ingest", root, "--categories", "study2018", "--json").json
    assert (again["changed"], again["unchanged"]) == (0, 10), "seed is the older name of study2018"
    listed = stylesearch("--home", home, "products", "list", "--json").json
    assert {product["category"] for product in listed} == {"Dress", "upper", "lower"}
    assert {product["attributes"]["dataset_category"] for product in listed} == {
        "DRESSES/Dress",
        "DRESSES/Lace_Dress",
        "TOPS/T_Shirt",
        "CLOTHING/Jeans",
    }


def test_two_datasets_and_a_shop_in_one_catalog(
    stylesearch: Command, tmp_path: Path, drawn_shop: Path
) -> None:
    home = tmp_path / "home"
    for source in (
        layouts.consumer_to_shop(tmp_path / "c2s"),
        layouts.in_shop(tmp_path / "inshop"),
        drawn_shop / "products.csv",
    ):
        assert stylesearch("--home", home, "ingest", source).code == 0
    assert len(catalog_of(home)) == 10 + 5 + 24


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--split", "validation"], "no split of deepfashion-c2s is called 'validation'"),
        (["--gallery", "val+tset"], "Did you mean 'test'?"),
        (["--format", "folder", "--split", "test"], "has no splits"),
        (["--format", "street2shop"], "no meta/json/"),
    ],
)
def test_what_cannot_be_chosen_is_an_error_and_leaves_no_workspace(
    stylesearch: Command, tmp_path: Path, options: list[str], error: str
) -> None:
    root, home = layouts.consumer_to_shop(tmp_path / "c2s"), tmp_path / "home"
    done = stylesearch("--home", home, "ingest", root, *options)
    assert done.code == 1
    assert error in done.err
    assert "Traceback" not in done.err
    if "--format" not in options:
        assert not home.exists()


def test_no_images_at_all_is_an_error_with_a_hint(stylesearch: Command, tmp_path: Path) -> None:
    root = layouts.consumer_to_shop(tmp_path / "c2s")
    shutil.rmtree(root / "img")
    done = stylesearch("--home", tmp_path / "home", "ingest", root)
    assert done.code == 1
    assert "unpack img.zip" in done.err


def test_the_categories_on_the_command_line_are_the_importers() -> None:
    assert tuple(ingest_module.CATEGORIES) == CATEGORIES


PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    stylesearch (--home \S+ ingest .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[3])
def test_the_commands_of_the_page_do_what_they_say(
    stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)
    if "-e" in arguments:  # its weights may not be at hand
        del arguments[arguments.index("-e") : arguments.index("-e") + 2]
    name = arguments[arguments.index("--format") + 1]
    MAKERS[name](tmp_path / arguments[3])
    done = stylesearch(*arguments, "--json")
    assert done.code == 0, done.err
    assert done.json["added"] > 0


def test_the_page_has_a_command_for_each_dataset() -> None:
    assert len(COMMANDS) == len(MAKERS)
    assert all(any(f"--format {name}" in command for command in COMMANDS) for name in MAKERS)
