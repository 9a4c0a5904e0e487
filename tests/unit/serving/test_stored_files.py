from pathlib import Path

import pytest

from stylesearch.files import sha256_bytes
from stylesearch.serving.uploads import UploadFolder

DATA = b"\xff\xd8\xff picture"
DIGEST = sha256_bytes(DATA)


def test_a_file_of_the_same_size_that_is_not_the_same_is_written_again(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path)
    uploads.store(DATA)
    uploads.path_of(DATA).write_bytes(bytes(len(DATA)))
    uploads.store(DATA)
    assert uploads.path_of(DATA).read_bytes() == DATA


def test_files_are_known_through_links_and_where_the_workspace_has_moved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    before = UploadFolder(tmp_path / "link")
    before.store(DATA)
    through_link = str(tmp_path / "link" / before.path_of(DATA).relative_to(tmp_path / "real"))
    real = UploadFolder(tmp_path / "real")
    assert real.holds(through_link)
    assert real.find(through_link, DIGEST) == real.path_of(DATA)
    (tmp_path / "real").rename(tmp_path / "moved")
    moved = UploadFolder(tmp_path / "moved")
    for path in (through_link, str(real.path_of(DATA))):
        assert moved.find(path, DIGEST) == moved.path_of(DATA)
    moved.remove(moved.path_of(DATA))
    assert moved.find(through_link, DIGEST) is None, "there is no such file here"


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path / "home")
    uploads.store(DATA)
    name = uploads.path_of(DATA).name
    other = tmp_path / "other" / "uploads" / DIGEST[:2] / name
    other.parent.mkdir(parents=True)
    other.write_bytes(DATA)
    for path in (other, tmp_path / name, tmp_path / "uploads" / "zz" / name, tmp_path / "uploads" / "x.jpg"):
        assert uploads.find(str(path), DIGEST) is None, path
        with pytest.raises(ValueError, match="not a file of"):
            uploads.remove(path)
