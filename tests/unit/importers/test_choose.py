from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from stylesearch.errors import DatasetError, UnknownName
from stylesearch.importers import IMPORTERS, possible_formats
from stylesearch.importers.base import title_from_name
from stylesearch.importers.choice import choose_importer


def test_a_folder_and_a_table_are_told_apart(tmp_path: Path) -> None:
    table = tmp_path / "products.txt"
    table.write_text("sku;image\n1;a.jpg\n", encoding="utf-8")
    (tmp_path / "shop").mkdir()
    assert choose_importer(tmp_path / "shop").name == "folder"
    assert choose_importer(table).name == "csv"
    assert choose_importer(str(table), "auto").name == "csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_known_by_its_header_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    table = tmp_path / "export"
    table.write_text("\n\nTitle\tImage Path\n", encoding=encoding)
    assert choose_importer(table).name == "csv"


def test_a_csv_with_another_header_is_still_a_csv(tmp_path: Path) -> None:
    table = tmp_path / "products.CSV"
    table.write_text("foo,bar\n", encoding="utf-8")
    assert choose_importer(table).name == "csv"


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"some words\n"]
)
def test_what_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot tell what kind") as caught:
        choose_importer(path)
    assert caught.value.hint.endswith("--format with one of " + ", ".join(IMPORTERS))


def test_a_format_that_is_named_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"")
    assert choose_importer(path, "csv").name == "csv"
    assert choose_importer(path, "folder").name == "folder"


def test_a_table_is_read_without_importing_a_reader_of_datasets(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "navy").save(tmp_path / "a.png")
    (tmp_path / "products.csv").write_text("id,image\n1,a.png\n", encoding="utf-8")
    code = """
        import sys
        import stylesearch.ingest.pipeline
        import stylesearch.workspace.workspace
        from pathlib import Path
        from stylesearch.importers.base import ImportOptions, check_options, count_listed
        from stylesearch.importers.choice import choose_importer

        path, options = Path(sys.argv[1]), ImportOptions()
        importer = choose_importer(path)
        check_options(importer, options)
        _, record = importer.records(path, options)
        assert (count_listed(importer, path, options), record.product.id) == (1, "1")
        print([name for name in sys.modules if name.startswith("stylesearch.importers.datasets")])
    """
    command = [sys.executable, "-c", textwrap.dedent(code), tmp_path / "products.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_folder_without_the_files_of_a_dataset_asks_no_reader_of_datasets(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    assert list(possible_formats(tmp_path)) == ["folder"]
    (tmp_path / "train" / "annos").mkdir()
    assert list(possible_formats(tmp_path)) == ["deepfashion2", "folder"]


def test_an_unknown_format_and_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"no importer is called 'cvs'\. Did you mean 'csv'"):
        choose_importer(tmp_path, "cvs")
    with pytest.raises(DatasetError, match="nothing is at"):
        choose_importer(tmp_path / "missing")
    with pytest.raises(DatasetError, match="nothing is at"):
        choose_importer(tmp_path / "missing", "csv")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("red_summer-dress", "Red summer dress"),
        ("10021", "10021"),
        ("009b3c31-fb62-45c0-be9a-37a5c238cb88", "009b3c31-fb62-45c0-be9a-37a5c238cb88"),
        ("faded", "Faded"),
        ("été  chic", "Été chic"),
        ("__", "__"),
    ],
)
def test_titles(name: str, title: str) -> None:
    assert title_from_name(name) == title
