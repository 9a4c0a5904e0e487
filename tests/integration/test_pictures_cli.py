"""``stylesearch cache``, and an ingest whose pictures lie behind URLs, on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Command
from tests.integration.tiny_shop import draw, jpeg
from tests.unit.images.remote.picture_server import PictureServer


def test_fetched_pictures_are_counted_and_those_that_no_image_has_are_removed(
    stylesearch: Command, tmp_path: Path
) -> None:
    home = ("--home", tmp_path / "home", "-q")
    table = tmp_path / "shop.csv"
    with PictureServer() as server:
        urls = [server.add(f"/{n}.jpg", jpeg(draw((10 * n, 99, 99), seed=n))) for n in range(3)]
        table.write_text("id,image\n" + "".join(f"p{n},{url}\n" for n, url in enumerate(urls)))
        refused = stylesearch("ingest", table, "-e", "color-histogram", *home)
        assert (refused.code, refused.err.count("failed: ")) == (3, 3)
        assert "--allow-private-hosts" in refused.err
        done = stylesearch("ingest", table, "-e", "color-histogram", "--allow-private-hosts", *home)
        assert done.code == 0
        table.write_text(f"id,image\np0,{urls[0]}\np1,{urls[1]}\n")
        stylesearch("ingest", table, "-e", "color-histogram", "--offline", "--prune", "--force", *home)
    status = stylesearch("cache", "status", "--json", *home).json
    assert (status["n_files"], status["n_urls"]) == (3, 3)
    assert stylesearch("cache", "clear", "--json", *home).json["n_files"] == 1
    assert stylesearch("cache", "clear", *home).out == "0 pictures, 0.0 MB, of 0 URLs removed\n"
    assert stylesearch("cache", "clear", "--all", "--json", *home).json["n_files"] == 2
    assert stylesearch("cache", "status", *home).out.startswith("0 pictures, 0.0 MB, of 0 URLs in ")


def test_no_password_of_a_url_is_printed(stylesearch: Command, tmp_path: Path) -> None:
    home = ("--home", tmp_path / "home")
    table = tmp_path / "shop.csv"
    options = ("ingest", table, "-e", "color-histogram", "--allow-private-hosts", *home)
    with PictureServer() as server:
        good = server.add("/a.jpg", jpeg(draw((10, 99, 99)))).replace("://", "://user:s3cret@")
        bad = good.replace("a.jpg", "none.jpg")
        table.write_text(f"image,title\n{good},A\n{bad},B\nfile://user:s3cret@pim/x.jpg,C\n")
        ways = (["--dry-run"], ["--dry-run", "--json"], ["--json"], [])
        said = [stylesearch(*options, *more) for more in ways]
    shown = stylesearch("products", "list", "--json", *home).json
    assert [one["id"] for one in shown if one["title"] == "A"] == [good.replace("user:s3cret@", "")]
    said += [stylesearch("products", "show", one["id"], *home) for one in shown]
    said.append(stylesearch("products", "duplicates", *home))
    assert any("none.jpg" in one.err for one in said)
    for one in said:
        assert "s3cret" not in one.out + one.err


def test_a_bucket_is_read_only_where_it_is_allowed(
    stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    table = tmp_path / "shop.csv"
    table.write_text("id,image\na,s3://shop-media/a.jpg\n")
    command = ("--home", tmp_path / "home", "ingest", table, "-e", "color-histogram")
    refused = stylesearch(*command)
    assert refused.code == 3
    assert "(--allow-bucket s3://shop-media lets it in)" in refused.err
    allowed = stylesearch(*command, "--allow-bucket", "s3://shop-media")
    assert "are read with s3fs, which is not installed" in allowed.err
    assert "not a bucket of a known" in stylesearch(*command, "--allow-bucket", "shop-media").err
    monkeypatch.setenv("STYLESEARCH_FETCH_BUCKETS", "s3://shop-media")
    assert "are read with s3fs, which is not installed" in stylesearch(*command).err
    assert "(--allow-bucket s3://shop-media" in stylesearch(*command, "--allow-bucket", "s3://other").err
