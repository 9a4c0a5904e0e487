"""What every importer promises. A new one adds a sample of its format below and has to pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError, UnknownName
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import (
    Importer,
    ImportOptions,
    Missing,
    SplitImporter,
    check_options,
)
from stylesearch.importers.choice import choose_importer
from stylesearch.listing import ATTRIBUTE, Record, Unpictured
from stylesearch.types import Domain, Failure
from tests.unit.importers.datasets import layouts

IMAGES = ("dress/red/1.jpg", "dress/red/2.jpg", "dress/blue.png", "skirt/pleated.webp")


def plant(root: Path) -> Path:
    for name in IMAGES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"nobody opens this")
    return root


def folder(root: Path) -> Path:
    plant(root)
    (root / "skirt" / "gone.jpg").symlink_to("nowhere.jpg")
    return root


GOODS = (("red", "dress", IMAGES[:2]), ("blue", "dress", IMAGES[2:3]), ("pleated", "skirt", IMAGES[3:]))


def write_rows(root: Path, header: str, *rows: str) -> Path:
    path = plant(root) / "products.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def table(root: Path) -> Path:
    rows = [f"{name},{category},{image}" for name, category, images in GOODS for image in images]
    return write_rows(root, "id,category,image", *rows, "gone,skirt,skirt/gone.jpg")


def shopify(root: Path) -> Path:
    rows = [
        f"{name},{f'{name},{category},19.90' if image == images[0] else ',,'},{image}"
        for name, category, images in GOODS
        for image in images
    ]
    header = "Handle,Title,Type,Variant Price,Image Src"
    return write_rows(root, header, *rows, "gone,Gone,skirt,1,skirt/gone.jpg")


def google(root: Path) -> Path:
    rows = [
        f'{name},{name},https://s.example/{name},{category},in_stock,{images[0]},"{",".join(images[1:])}"'
        for name, category, images in GOODS
    ]
    header = "id,title,link,product_type,availability,image_link,additional_image_link"
    return write_rows(root, header, *rows, "gone,Gone,https://s.example/g,skirt,in_stock,skirt/gone.jpg,")


def woocommerce(root: Path) -> Path:
    rows = [f'{name},simple,{name},1,1,19.90,{category},"{", ".join(i)}"' for name, category, i in GOODS]
    header = "SKU,Type,Name,Published,In stock?,Regular price,Categories,Images"
    return write_rows(root, header, *rows, "gone,simple,Gone,1,1,1,skirt,skirt/gone.jpg")


def magento(root: Path) -> Path:
    rows = [
        f'{name},simple,{name},"Catalog, Search",1,Default Category/{category},{i[0]},"{",".join(i[1:])}"'
        for name, category, i in GOODS
    ]
    header = "sku,product_type,name,visibility,product_online,categories,base_image,additional_images"
    return write_rows(root, header, *rows, "gone,simple,Gone,,1,Default Category/skirt,skirt/gone.jpg,")


def prestashop(root: Path) -> Path:
    rows = [f'{name},1,{name},{category},19.90,"{",".join(i)}"' for name, category, i in GOODS]
    lists = '"Categories (x,y,z...)","Price tax included","Image URLs (x,y,z...)"'
    header = f'"Product ID","Active (0/1)","Name *",{lists}'
    return write_rows(root, header, *rows, "gone,1,Gone,skirt,1,skirt/gone.jpg")


def bigcommerce(root: Path) -> Path:
    rows = []
    for name, category, images in GOODS:
        rows.append(f"Product,1,{name},{name},{category},none,TRUE,,")
        rows += [f"Image,,,,,,,{image}," for image in images]
    header = "Item,ID,Name,SKU,Categories,Inventory Tracking,Is Visible,Internal Image URL (Export),Options"
    gone = ("Product,9,Gone,gone,skirt,none,TRUE,,", "Image,,,,,,,skirt/gone.jpg,")
    return write_rows(root, header, *rows, *gone)


DRESSES_AND_SKIRT = {
    "red": ("dress", ["1.jpg", "2.jpg"]),
    "blue": ("dress", ["blue.png"]),
    "pleated": ("skirt", ["pleated.webp"]),
}


def consumer_to_shop(root: Path) -> Path:
    return layouts.consumer_to_shop(root, extra=["a row of three"])


def in_shop(root: Path) -> Path:
    return layouts.in_shop(root, extra=["two columns"])


def street_to_shop(root: Path) -> Path:
    layouts.street_to_shop(root)
    layouts.write_json(root / "meta/json/train_pairs_bags.json", [{"photo": 2848}])
    return root


def deepfashion2(root: Path) -> Path:
    layouts.deepfashion2(root)
    layouts.write_json(root / "validation/annos/000003.json", "{")
    return root


@dataclass(frozen=True)
class Sample:
    """A small source with exactly one entry that is broken.

    Attributes:
        make: writes it into a folder and returns what to import.
        products: category and names of the pictures, by product.
        says_domain: whether it says who took each picture, so that the user has no say.
        is_folder: whether somebody could take it for a folder of categories.
        is_table: whether somebody could take it for a table of no known shop system.
        count: number of its entries, where that is not about the number of pictures.
    """

    make: Callable[[Path], Path]
    products: dict[str, tuple[str, list[str]]]
    says_domain: bool = False
    is_folder: bool = False
    is_table: bool = False
    count: int | None = None

    @property
    def n_images(self) -> int:
        return sum(len(names) for _, names in self.products.values())


SAMPLES: dict[str, Sample] = {
    "folder": Sample(folder, DRESSES_AND_SKIRT, is_folder=True),
    "csv": Sample(table, DRESSES_AND_SKIRT, is_table=True),
    "shopify": Sample(shopify, DRESSES_AND_SKIRT, is_table=True),
    "google": Sample(google, DRESSES_AND_SKIRT, is_table=True),
    "woocommerce": Sample(woocommerce, DRESSES_AND_SKIRT, is_table=True),
    "magento": Sample(magento, DRESSES_AND_SKIRT, is_table=True),
    "prestashop": Sample(prestashop, DRESSES_AND_SKIRT, is_table=True),
    "bigcommerce": Sample(bigcommerce, DRESSES_AND_SKIRT, is_table=True, count=9),
    "deepfashion-c2s": Sample(
        consumer_to_shop,
        {
            "deepfashion-c2s:id_00000001": (
                "DRESSES/Dress",
                ["comsumer_01.jpg", "comsumer_02.jpg", "shop_01.jpg"],
            ),
            "deepfashion-c2s:id_00000218": (
                "TOPS/T_Shirt",
                ["comsumer_01.jpg", "shop_01.jpg", "shop_02.jpg"],
            ),
            "deepfashion-c2s:id_00000007": ("DRESSES/Lace_Dress", ["consumer_01.jpg", "shop_01.jpg"]),
            "deepfashion-c2s:id_00000300": ("CLOTHING/Jeans", ["comsumer_01.jpg", "shop_01.jpg"]),
        },
        says_domain=True,
        is_folder=True,
    ),
    "deepfashion-inshop": Sample(
        in_shop,
        {
            "deepfashion-inshop:id_00000002": ("WOMEN/Dresses", ["02_1_front.jpg", "02_2_side.jpg"]),
            "deepfashion-inshop:id_00000080": ("MEN/Denim", ["01_1_front.jpg", "01_3_back.jpg"]),
            "deepfashion-inshop:id_00000090": ("WOMEN/Rompers_Jumpsuits", ["01_1_front.jpg"]),
        },
        says_domain=True,
        is_folder=True,
    ),
    "street2shop": Sample(
        street_to_shop,
        {
            "street2shop:bags/1": ("bags", ["2848.jpeg", "31.jpg"]),
            "street2shop:dresses/1": ("dresses", ["000008288.png", "000163478.jpg", "2848.jpeg"]),
            "street2shop:dresses/5": ("dresses", ["12.jpg"]),
            "street2shop:dresses/47270": ("dresses", ["000000011.JPG", "000002847.jpg"]),
        },
        says_domain=True,
        is_folder=True,
    ),
    "deepfashion2": Sample(
        deepfashion2,
        {
            "deepfashion2:train/1/1/1": ("short sleeve top", ["000001.jpg", "000002.jpg"]),
            "deepfashion2:train/1/2/9": ("skirt", ["000001.jpg", "000003.jpg"]),
            "deepfashion2:train/1/0/8/000003-item2": ("trousers", ["000003.jpg"]),
            "deepfashion2:validation/1/1/1": ("short sleeve top", ["000001.jpg", "000002.jpg"]),
        },
        says_domain=True,
        is_folder=True,
    ),
}


@pytest.fixture(params=sorted(SAMPLES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def importer(name: str) -> Importer:
    made: Importer = IMPORTERS.load(name)()
    return made


@pytest.fixture
def sample(name: str) -> Sample:
    return SAMPLES[name]


@pytest.fixture
def source(sample: Sample, tmp_path: Path) -> Path:
    return sample.make(tmp_path / "shop")


def records(importer: Importer, source: Path, options: ImportOptions | None = None) -> list[Record]:
    items = importer.records(source, options or ImportOptions())
    return [item for item in items if isinstance(item, Record)]


def broken(importer: Importer, source: Path) -> list[Failure | Unpictured]:
    """Entries that cannot be used; a row of a table whose picture is missing lists its product."""
    items = importer.records(source, ImportOptions())
    return [i for i in items if isinstance(i, Failure | Unpictured) and i.reason]


def snapshot(root: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in [root, *root.rglob("*")]}


def test_every_importer_has_a_sample() -> None:
    assert set(SAMPLES) == set(IMPORTERS)


def test_it_has_the_name_it_is_registered_under(importer: Importer, name: str) -> None:
    assert importer.name == name
    assert IMPORTERS[name].summary


def test_it_is_sure_of_its_own_format_and_leaves_others_alone(
    importer: Importer, name: str, tmp_path: Path
) -> None:
    sources = {other: sample.make(tmp_path / other) for other, sample in SAMPLES.items()}
    own = importer.sniff(sources.pop(name))
    assert own >= 2
    for other, source in sources.items():
        # Every dataset is a folder too, and every export a table; that its own reader is surer decides.
        if name == "csv" and SAMPLES[other].is_table:
            assert importer.sniff(source) <= own
        else:
            expected = own if name == "folder" and SAMPLES[other].is_folder else 0
            assert importer.sniff(source) == expected, other
        assert importer.sniff(source) < IMPORTERS.load(other)().sniff(source)


def test_it_is_chosen_for_its_own_format(name: str, source: Path) -> None:
    assert choose_importer(source).name == name
    assert choose_importer(source, name).name == name


def test_it_finds_the_products_and_their_images(importer: Importer, source: Path, sample: Sample) -> None:
    found = records(importer, source)
    listed: dict[str, tuple[str, list[str]]] = {}
    for record in found:
        category = record.product.said["category"]
        listed.setdefault(record.product.id, (category, []))[1].append(Path(record.path).name)
    assert {key: (category, sorted(names)) for key, (category, names) in listed.items()} == sample.products
    assert all(r.product.said.get("title") or r.product.guesses["title"] for r in found)


def test_paths_are_absolute_and_lead_to_files(importer: Importer, source: Path) -> None:
    assert all(os.path.isabs(r.path) and Path(r.path).is_file() for r in records(importer, source))  # noqa: PTH117


def test_a_broken_entry_is_a_failure_with_its_place_and_reason(importer: Importer, source: Path) -> None:
    (failure,) = broken(importer, source)
    assert failure.item.startswith(str(source))
    assert failure.reason


def test_the_order_is_the_same_every_time(importer: Importer, source: Path) -> None:
    first, second = (list(importer.records(source, ImportOptions())) for _ in range(2))
    assert first == second


def test_a_product_says_the_same_of_itself_everywhere(importer: Importer, source: Path) -> None:
    by_id: dict[str, object] = {}
    for record in records(importer, source):
        assert by_id.setdefault(record.product.id, record.product) == record.product


def test_it_is_an_iterator_that_can_be_left_early(importer: Importer, source: Path) -> None:
    items = importer.records(source, ImportOptions())
    assert isinstance(items, Iterator)
    next(items)
    del items


def test_the_user_s_domain_is_taken_where_the_source_says_none(
    importer: Importer, source: Path, sample: Sample
) -> None:
    as_consumer = [r.domain for r in records(importer, source, ImportOptions(domain=Domain.CONSUMER))]
    as_shop = [r.domain for r in records(importer, source)]
    if sample.says_domain:
        assert as_consumer == as_shop
        assert set(as_shop) == set(Domain)
    else:
        assert set(as_consumer) == {Domain.CONSUMER}
        assert set(as_shop) == {Domain.SHOP}


def test_the_count_is_about_right(importer: Importer, source: Path, sample: Sample) -> None:
    assert abs(importer.count(source) - (sample.count or sample.n_images)) <= 1


def test_splits_part_the_source(importer: Importer, source: Path) -> None:
    options = ImportOptions(splits=("nowhere",))
    if not isinstance(importer, SplitImporter):
        with pytest.raises(DatasetError, match="has no splits"):
            check_options(importer, options)
        with pytest.raises(DatasetError, match="no other categories"):
            check_options(importer, ImportOptions(categories="study2018"))
        return
    with pytest.raises(UnknownName, match=r"no split of .* is called 'nowhere'"):
        check_options(importer, options)
    with pytest.raises(UnknownName, match="no split"):
        check_options(importer, ImportOptions(gallery=("nowhere",)))
    with pytest.raises(UnknownName, match="no way to group products is called 'mine'"):
        check_options(importer, ImportOptions(categories="mine"))
    whole = records(importer, source)
    check_options(importer, ImportOptions(splits=importer.splits, gallery=("all",), categories="study2018"))
    assert records(importer, source, ImportOptions(splits=importer.splits)) == whole
    by_split: dict[str, int] = {}
    for record in whole:
        split = record.product.said["attributes.split"]
        by_split[split] = by_split.get(split, 0) + 1
    assert set(by_split) <= set(importer.splits)
    assert len(by_split) >= 2
    for split, n_records in by_split.items():
        chosen = records(importer, source, ImportOptions(splits=(split,)))
        assert {record.product.said["attributes.split"] for record in chosen} == {split}
        assert len(chosen) == n_records


DATASETS = sorted(name for name, sample in SAMPLES.items() if sample.says_domain)


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_says_what_an_evaluation_needs(importer: Importer, source: Path) -> None:
    wanted = {"dataset", "dataset_id", "split", "dataset_category", "seed_group"}
    for record in records(importer, source):
        said = record.product.said
        assert {name for name in said if name.startswith(ATTRIBUTE)} == {ATTRIBUTE + name for name in wanted}
        assert said["attributes.dataset"] == importer.name
        assert said["category"] == said["attributes.dataset_category"]
    for record in records(importer, source, ImportOptions(categories="study2018")):
        said = record.product.said
        assert said["category"] == said["attributes.seed_group"]
        assert said["category"] in {"Dress", "Skirt", "upper", "lower", "other"}


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_counts_images_that_are_missing(importer: Importer, source: Path) -> None:
    lost = records(importer, source)[0].path
    Path(lost).unlink()
    items = list(importer.records(source, ImportOptions()))
    missing = [item for item in items if isinstance(item, Missing)]
    assert missing
    assert all(Path(item.path).stem.lstrip("0") == Path(lost).stem.lstrip("0") for item in missing)
    assert all(item.listed_in.startswith(str(source)) for item in missing)
    assert sum(isinstance(item, Failure) for item in items) == 1


def test_the_source_is_left_as_it_was(importer: Importer, source: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    list(importer.records(source, ImportOptions()))
    importer.count(source)
    assert snapshot(tmp_path) == before


def test_nothing_there_is_a_dataset_error(importer: Importer, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        list(importer.records(tmp_path / "missing", ImportOptions()))
