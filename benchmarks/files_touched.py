"""In how many of the product's files a function runs for an ingest, a query and a search of the service.

A measure of how many places a newcomer has to look in. With white-box features (``hog``), so that the files
of networks do not count. Ingest and query go through the command line; the search of the service goes through
its application, after two that warmed it up. An import counts only where it calls functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.measuring import print_table

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "stylesearch", ROOT / "cli", ROOT / "migrations")


def main() -> None:
    """Prints the three counts."""
    # Threads have a profiler only if it was there when they began, so it is, and looks at a switch.
    recorder = _Recorder()
    with tempfile.TemporaryDirectory() as name:
        from stylesearch.drawn_shop import write_demo

        shop, home = Path(name) / "shop", str(Path(name) / "home")
        write_demo(shop, n_products=12)
        photo = next((shop / "street").iterdir())
        threading.setprofile(recorder)
        rows = []
        with recorder.recording() as files:
            _command("ingest", str(shop / "products.csv"), "-e", "hog", "--home", home, "-q")
        rows.append(["ingest", len(files)])
        with recorder.recording() as files:
            _command("query", str(photo), "-e", "hog", "--home", home, "-q")
        rows.append(["query", len(files)])
        rows.append(["POST /v1/search", len(asyncio.run(_search(home, photo.read_bytes(), recorder)))])
        threading.setprofile(None)
    print_table(["what runs", "files"], rows)


class _Recorder:
    """A profiler that collects the files of functions that are called."""

    def __init__(self) -> None:
        self._files: set[str] | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        files, code = self._files, frame.f_code
        # Neither the code of modules nor that of classes has this flag.
        if files is not None and event == "call" and code.co_flags & inspect.CO_OPTIMIZED:
            files.add(code.co_filename)

    @contextlib.contextmanager
    def recording(self) -> Iterator[set[str]]:
        """The set of the product's files, which is complete when the block ends."""
        called: set[str] = set()
        found: set[str] = set()
        self._files = called
        sys.setprofile(self)
        try:
            yield found
        finally:
            sys.setprofile(None)
            self._files = None
            for file in called:
                path = Path(file).resolve()
                if any(path.is_relative_to(package) for package in PACKAGES):
                    found.add(str(path))


def _command(*arguments: str) -> None:
    """Runs a command in this process; what it prints is not shown."""
    from stylesearch.cli.main import cli

    with contextlib.redirect_stdout(io.StringIO()):
        cli.main(list(arguments), standalone_mode=False)


async def _search(home: str, photo: bytes, recorder: _Recorder) -> set[str]:
    """The files of a search, after two that warmed the service up."""
    import httpx

    import stylesearch
    from stylesearch.serving.app import create_app
    from stylesearch.serving.settings import load_service_settings

    settings = load_service_settings({}, {}, home=home)
    with stylesearch.open(home, extractor="hog") as workspace:
        app = create_app(workspace, settings)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            for _ in range(2):
                (await client.post("/v1/search", files={"image": photo})).raise_for_status()
            with recorder.recording() as files:
                (await client.post("/v1/search", files={"image": photo})).raise_for_status()
    return files
