"""Writes tiny datasets in the true folder layout of the public ones, with pictures of a few pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

from stylesearch.listing import ATTRIBUTE, Listing

__all__ = [
    "C2S_BOXES",
    "C2S_PAIRS",
    "INSHOP_BOXES",
    "INSHOP_ROWS",
    "attributes_of",
    "consumer_to_shop",
    "deepfashion2",
    "draw",
    "garment",
    "in_shop",
    "street_to_shop",
    "write_annotations",
    "write_json",
]

C2S_PARTITION_NAMES = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
C2S_BOX_NAMES = "image_name  clothes_type  source_type  x_1  y_1  x_2  y_2"
DRESS, LACE = "img/DRESSES/Dress/id_00000001", "img/DRESSES/Lace_Dress/id_00000007"
TOP, JEANS = "img/TOPS/T_Shirt/id_00000218", "img/CLOTHING/Jeans/id_00000300"
C2S_PAIRS = [
    (f"{DRESS}/comsumer_01.jpg", f"{DRESS}/shop_01.jpg", "id_00000001", "train"),
    (f"{DRESS}/comsumer_02.jpg", f"{DRESS}/shop_01.jpg", "id_00000001", "train"),
    (f"{TOP}/comsumer_01.jpg", f"{TOP}/shop_01.jpg", "id_00000218", "val"),
    (f"{TOP}/comsumer_01.jpg", f"{TOP}/shop_02.jpg", "id_00000218", "val"),
    (f"{LACE}/consumer_01.jpg", f"{LACE}/shop_01.jpg", "id_00000007", "test"),
    (f"{JEANS}/comsumer_01.jpg", f"{JEANS}/shop_01.jpg", "id_00000300", "test"),
]
"""Pairs of four items: ten pictures. One consumer's photo is spelt as nobody does there."""
C2S_BOXES = [
    (f"{DRESS}/comsumer_01.jpg", "3", "2", "010", "020", "090", "110"),
    (f"{DRESS}/shop_01.jpg", "3", "1", "005", "006", "095", "115"),
    (f"{LACE}/consumer_01.jpg", "3", "2", "011", "021", "091", "111"),
    (f"{JEANS}/shop_01.jpg", "2", "1", "012", "022", "092", "112"),
]

INSHOP_NAMES = "image_name item_id evaluation_status"
INSHOP_BOX_NAMES = "image_name clothes_type pose_type x_1 y_1 x_2 y_2"
GOWN, DENIM = "img/WOMEN/Dresses/id_00000002", "img/MEN/Denim/id_00000080"
OVERALL = "img/WOMEN/Rompers_Jumpsuits/id_00000090"
INSHOP_ROWS = [
    (f"{GOWN}/02_1_front.jpg", "id_00000002", "train"),
    (f"{GOWN}/02_2_side.jpg", "id_00000002", "train"),
    (f"{DENIM}/01_1_front.jpg", "id_00000080", "query"),
    (f"{DENIM}/01_3_back.jpg", "id_00000080", "gallery"),
    (f"{OVERALL}/01_1_front.jpg", "id_00000090", "gallery"),
]
INSHOP_BOXES = [
    (f"{GOWN}/02_1_front.jpg", "3", "1", "064", "000", "192", "256"),
    (f"{DENIM}/01_3_back.jpg", "2", "3", "070", "100", "180", "250"),
]


def draw(path: Path, size: tuple[int, int] = (100, 120)) -> Path:
    """A picture of noise that its name decides: no two are alike."""
    pixels = np.random.default_rng(crc32(str(path.name + path.parent.name).encode())).integers(
        0, 255, (12, 10, 3), np.uint8
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)
    return path


def write_annotations(
    path: Path,
    names: str,
    rows: Iterable[Sequence[str] | str | bytes],
    *,
    count: str | None = "3",
    newline: str = "\n",
    start: bytes = b"",
) -> Path:
    """A text file like DeepFashion's; a row is its cells, or the line as it is to be."""
    lines = [] if count is None else [count.encode()]
    lines.append(names.encode())
    for row in rows:
        if isinstance(row, bytes):
            lines.append(row)
        else:
            lines.append((row if isinstance(row, str) else "    ".join(row)).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start + newline.encode().join([*lines, b""]))
    return path


def consumer_to_shop(
    root: Path,
    extra: Iterable[Sequence[str] | str | bytes] = (),
    extra_boxes: Iterable[Sequence[str] | str | bytes] = (),
    images: str = "img",
    size: tuple[int, int] = (100, 120),
    **form: Any,
) -> Path:
    """The consumer-to-shop benchmark with ten pictures."""
    write_annotations(
        root / "Eval/list_eval_partition.txt", C2S_PARTITION_NAMES, [*C2S_PAIRS, *extra], **form
    )
    write_annotations(
        root / "Anno/list_bbox_consumer2shop.txt", C2S_BOX_NAMES, [*C2S_BOXES, *extra_boxes], **form
    )
    for name in sorted({name for row in C2S_PAIRS for name in row[:2]}):
        draw(root / images / name.removeprefix("img/"), size)
    return root


def in_shop(
    root: Path,
    extra: Iterable[Sequence[str] | str | bytes] = (),
    extra_boxes: Iterable[Sequence[str] | str | bytes] = (),
    images: str = "Img/img",
    size: tuple[int, int] = (128, 128),
    **form: Any,
) -> Path:
    """The in-shop benchmark with five pictures."""
    write_annotations(root / "Eval/list_eval_partition.txt", INSHOP_NAMES, [*INSHOP_ROWS, *extra], **form)
    write_annotations(
        root / "Anno/list_bbox_inshop.txt", INSHOP_BOX_NAMES, [*INSHOP_BOXES, *extra_boxes], **form
    )
    for name, *_ in INSHOP_ROWS:
        draw(root / images / name.removeprefix("img/"), size)
    return root


def write_json(path: Path, content: Any) -> Path:
    """JSON on one line, as the datasets have it; text and bytes are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def street_to_shop(root: Path) -> Path:
    """Exact Street2Shop with two categories, in both of which there is a product 1; one photo shows both."""
    meta = root / "meta" / "json"
    box = {"width": 60, "top": 20, "left": 10, "height": 80}
    write_json(meta / "train_pairs_dresses.json", [{"photo": 2847, "product": 47270, "bbox": box}])
    write_json(
        meta / "test_pairs_dresses.json",
        [
            {"photo": 8288, "product": 1, "bbox": {"top": 5, "left": 7}},
            {"photo": 2848, "product": 1, "bbox": box},
        ],
    )
    write_json(
        meta / "retrieval_dresses.json",
        [{"photo": 163478, "product": 1}, {"photo": 11, "product": 47270}, {"photo": 12, "product": 5}],
    )
    write_json(meta / "train_pairs_bags.json", [])
    write_json(meta / "test_pairs_bags.json", [{"photo": 2848, "product": 1, "bbox": box}])
    write_json(meta / "retrieval_bags.json", [{"photo": 31, "product": 1}])
    (root / "photos").mkdir()
    (root / "photos/photos.txt").write_text("000002847,http://example.org/a,b.jpg\n", encoding="utf-8")
    for name in ("000002847.jpg", "2848.jpeg", "000008288.png", "000163478.jpg", "000000011.JPG"):
        draw(root / "photos" / name)
    draw(root / "photos" / "12.jpg")
    draw(root / "photos" / "31.jpg")
    return root


def garment(
    category_id: int = 1, style: int = 1, box: Any = (10, 20, 60, 90), name: str = "short sleeve top"
) -> dict[str, Any]:
    """An item of an annotation of DeepFashion2."""
    return {
        "category_name": name,
        "category_id": category_id,
        "style": style,
        "bounding_box": list(box),
        "landmarks": [1, 2, 2],
        "segmentation": [[1, 2, 3, 4]],
        "scale": 2,
        "occlusion": 1,
        "zoom_in": 1,
        "viewpoint": 2,
    }


def deepfashion2(root: Path) -> Path:
    """DeepFashion2 with five pictures: of one product twice, of two at once, and with garments of style 0."""
    skirt = garment(9, 2, (5, 60, 95, 118), "skirt")
    contents: dict[str, dict[str, Any]] = {
        "train/000001": {"source": "user", "pair_id": 1, "item1": garment(), "item2": skirt},
        "train/000002": {"source": "shop", "pair_id": 1, "item1": garment(box=(8, 8, 90, 99))},
        "train/000003": {"source": "shop", "pair_id": 1, "item1": skirt, "item2": garment(8, 0)},
        "validation/000001": {"source": "user", "pair_id": 1, "item1": garment(), "item2": garment(7, 0)},
        "validation/000002": {"source": "shop", "pair_id": 1, "item1": garment()},
    }
    for name, content in contents.items():
        split, number = name.split("/")
        write_json(root / split / "annos" / f"{number}.json", content)
        draw(root / split / "image" / f"{number}.jpg")
    (root / "test" / "image").mkdir(parents=True)
    draw(root / "test" / "image" / "000001.jpg")
    return root


def attributes_of(product: Listing) -> dict[str, Any]:
    return {
        name.removeprefix(ATTRIBUTE): value
        for name, value in product.said.items()
        if name.startswith(ATTRIBUTE)
    }
