from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.serving.page_files import PageFiles
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import scope_of


@pytest.fixture
def files(tmp_path: Path) -> PageFiles:
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "parts" / "app.js").write_text("export {}")
    (folder / "notes.txt~").write_text("secret")
    (tmp_path / "outside.html").write_text("secret")
    return PageFiles(folder)


def ask(files: PageFiles, name: str, *etags: str) -> Response:
    return files.response(Request(scope_of(headers=[("If-None-Match", etag) for etag in etags])), name)


def test_files_have_their_types_and_are_asked_for_anew(files: PageFiles) -> None:
    answer = ask(files, "index.html")
    assert answer.body == b"<!doctype html>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert ask(files, "parts/app.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_a_browser_that_has_it_is_told_so(files: PageFiles) -> None:
    etag = ask(files, "index.html").headers["etag"]
    for given in ([etag], [f"W/{etag}"], ['"other"', etag], [f'"other", {etag}'], ["*"]):
        answer = ask(files, "index.html", *given)
        assert (answer.status_code, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert ask(files, "index.html", '"other"').status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing.html",
        "notes.txt~",
        "../outside.html",
        "parts/../index.html",
        "parts",
        "/etc/passwd",
        "index.html\0",
    ],
)
def test_nothing_else_can_be_asked_for(files: PageFiles, name: str) -> None:
    with pytest.raises(Problem) as raised:
        ask(files, name)
    assert raised.value.status == 404


def test_the_page_is_there() -> None:
    assert ask(PageFiles(), "index.html").status_code == 200
