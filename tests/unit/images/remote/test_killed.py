from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stylesearch.images.remote import Fetched, PictureCache, fetch_stream
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer

CODE = """
import sys
from pathlib import Path
from stylesearch.images.remote import FetchOptions, PictureCache, fetch_stream
folder, address = sys.argv[1:]
urls = [f"{address}/{n}.jpg" for n in range(300)]
for url, found in fetch_stream(urls, str, PictureCache(Path(folder)), FetchOptions(allow_private=True)):
    print(url, found.sha256, flush=True)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_only_whole_pictures(server: PictureServer, tmp_path: Path) -> None:
    bodies = [jpeg(n, side=64) for n in range(300)]
    for n, body in enumerate(bodies):
        server.behave(f"/{n}.jpg", Answer(body=body, delay=0.005))
    urls = [server.url(f"/{n}.jpg") for n in range(300)]
    for n_lines in (1, 40, 90):  # killed when so many more pictures are there
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(tmp_path), server.url("")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        told = [process.stdout.readline().split() for _ in range(n_lines)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with PictureCache(tmp_path) as cache:
            found = cache.find_many(urls)
            assert {url for url, _ in told} <= found.keys()  # what was handed on stays
            for path in tmp_path.glob("??/*.jpg"):
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    n_before = len(server.requests)
    with PictureCache(tmp_path) as cache:
        n_known = len(cache.find_many(urls))
        results = dict(fetch_stream(urls, str, cache, QUICK))
        for url, body in zip(urls, bodies, strict=True):
            one = results[url]
            assert isinstance(one, Fetched)
            assert one.path.read_bytes() == body
        assert len(server.requests) - n_before == 300 - n_known
        assert cache.status().n_files == len({*bodies})
