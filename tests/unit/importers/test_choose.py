from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from stylesearch.errors import DatasetError, UnknownName
from stylesearch.importers import IMPORTERS, possible_formats
from stylesearch.importers.base import ImportOptions, check_options, title_from_name
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


def write_zip(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("format", ["auto", "csv"])
@pytest.mark.parametrize(
    ("name", "content", "what", "hint"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook of an older Excel", "save it as .xlsx, or as CSV"),
        ("a.pdf", b"%PDF-1.7 ...", "a PDF", "export the table itself"),
        ("a.csv.gz", b"\x1f\x8b\x08", "packed with gzip", "unpack it first"),
    ],
)
def test_files_that_are_no_table_say_what_to_do(
    tmp_path: Path, name: str, content: bytes, what: str, hint: str, format: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"{name} is {what}") as caught:
        list(choose_importer(tmp_path / name, format).records(tmp_path / name, ImportOptions()))
    assert caught.value.hint.startswith(hint)


def test_an_archive_says_to_unpack_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.zip is a ZIP archive") as caught:
        choose_importer(write_zip(tmp_path / "a.zip", products="id,image"))
    assert caught.value.hint.startswith("unpack it")
    sheet = write_zip(tmp_path / "a.ods", mimetype="application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(DatasetError, match="OpenDocument"):
        choose_importer(sheet)


def test_an_archive_that_python_cannot_unpack_is_no_bug(tmp_path: Path) -> None:
    """It says that it needs a later version of the format: a fuzzer found it."""
    whole = write_zip(tmp_path / "a.xlsx", mimetype="text/plain").read_bytes()
    directory = whole.index(b"PK\x01\x02")
    path = tmp_path / "b.xlsx"
    path.write_bytes(whole[: directory + 6] + b"\xeb\0" + whole[directory + 8 :])
    with pytest.raises(DatasetError):
        list(choose_importer(path).records(path, ImportOptions()))


@pytest.mark.parametrize("url", ["https://s.example/feed.xml", "s3://bucket/feed.csv"])
def test_a_url_as_the_path_says_to_download_it(url: str) -> None:
    for path in (url, Path.cwd() / url):
        with pytest.raises(DatasetError, match=f"no URL. Received: {url}") as caught:
            choose_importer(path)
        assert f"'{url}'" in caught.value.hint


@pytest.mark.parametrize("currency", ["Euro", "€", "EU"])
def test_a_currency_is_a_code_of_three_letters(tmp_path: Path, currency: str) -> None:
    (tmp_path / "a.csv").write_text("id,image\n")
    with pytest.raises(DatasetError, match="a code of three letters"):
        check_options(choose_importer(tmp_path / "a.csv"), ImportOptions(currency=currency))
