import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from stylesearch.serving.page_files import PageFiles, has_entity
from tests.unit.serving.asgi import Sent, call, scope_of


@pytest.fixture
def files(tmp_path: Path) -> PageFiles:
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "parts" / "app.js").write_text("export {}")
    (folder / "notes.txt~").write_text("secret")
    (tmp_path / "outside.html").write_text("secret")
    return PageFiles(folder)


def ask(files: PageFiles, name: str, etag: str = "") -> Sent:
    scope = scope_of(f"/assets/{name}", headers=[("If-None-Match", etag)] if etag else [])
    scope["asgi"] = {"spec_version": "2.4"}  # with it nobody listens for a client that goes
    return asyncio.run(call(Starlette(routes=[Mount("/assets", files)]), scope))


def test_files_have_their_types_and_are_asked_for_anew(files: PageFiles) -> None:
    answer = ask(files, "index.html")
    assert answer.body == b"<!doctype html>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert ask(files, "parts/app.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_a_browser_that_has_it_is_told_so(files: PageFiles) -> None:
    etag = ask(files, "index.html").headers["etag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = ask(files, "index.html", given)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        assert answer.headers["cache-control"] == "no-cache"
    assert ask(files, "index.html", '"other"').status == 200


def test_an_entity_that_the_client_has() -> None:
    def has(*given: str) -> bool:
        return has_entity(Request(scope_of(headers=[("If-None-Match", one) for one in given])), '"mine"')

    assert all(map(has, ['"mine"', 'W/"mine"', '"other", "mine"', "*"]))
    assert has('"other"', '"mine"')
    assert not has('"other"')
    assert not has()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing.html",
        "notes.txt~",
        "../outside.html",
        "..%2foutside.html",
        "parts",
        "/etc/passwd",
        "index.html\0",
        "index.html\0.js",
        "x" * 5000 + ".js",
    ],
)
def test_nothing_else_can_be_asked_for(files: PageFiles, name: str) -> None:
    answer = ask(files, name)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_the_page_and_swagger_ui_are_there() -> None:
    for name in ("index.html", "docs.html", "swagger-ui-bundle.js", "swagger-ui.css"):
        assert ask(PageFiles(), name).status == 200
