"""The commands of docs/serving.md, typed into a shell beside a running server, do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'stylesearch[serve]'")

import stylesearch as ss

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
KEY = "a-key-of-these-tests-0123456789"
CLI = "import sys; from stylesearch.cli import main; sys.argv[0] = 'stylesearch'; main()"
STRICT = (
    'set -euo pipefail; curl() { command curl --fail-with-body --silent --show-error --max-time 60 "$@"; }\n'
)


def commands() -> list[str]:
    """What stands behind ``$`` in the guide, with the lines that go on behind a backslash."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


@pytest.mark.usefixtures("person_files")
def test_every_command_of_the_guide(drawn_shop: Path, tmp_path: Path) -> None:
    if not all(map(shutil.which, ("bash", "curl", "base64"))):
        pytest.skip("the guide's commands need bash, curl and base64")
    dress, coat = _two_products(drawn_shop)
    (tmp_path / "shop").symlink_to(drawn_shop)
    home = tmp_path / "home"
    settings = {"extractor": "color-histogram", "regions": "few"}
    with ss.open(home, **settings) as shop:
        shop.ingest(drawn_shop / "products.csv")
    typed = commands()
    assert len(typed) >= 16
    environment = {
        **os.environ,
        **{f"STYLESEARCH_{name.upper()}": value for name, value in settings.items()},
        "STYLESEARCH_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
    }
    server = subprocess.Popen(
        [sys.executable, "-c", CLI, "--home", home, "serve", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        assert server.stdout is not None
        with server.stdout:
            url = json.loads(server.stdout.readline())["url"]
        script = STRICT + "\n".join(f"{line} > answer-{number}" for number, line in enumerate(typed))
        for here, there in (
            ("http://127.0.0.1:8000", url),
            ("dress-000006", dress),
            ("coat-000011", coat),
            ("category=dress", f"category={dress.partition('-')[0]}"),
        ):
            script = script.replace(here, there)
        # What a command writes into a file of its own stays there.
        script = re.sub(r"(> \S+) > answer-\d+", r"\1", script)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
    finally:
        server.terminate()
        server.wait(60)
    answers = [path.read_text() for path in tmp_path.glob("answer-*")]
    assert done.returncode == 0, f"{done.stderr}\n{answers}"
    assert (tmp_path / "thumbnail.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    first = json.loads((tmp_path / "answer-0").read_text())
    assert len(first["hits"]) == 3
    of_search, of_detection, of_explanation = _examples()
    assert _keys_of(of_search) <= _keys_of(first)
    (number,) = (n for n, line in enumerate(typed) if "/v1/detect" in line)
    assert _keys_of(of_detection) == _keys_of(json.loads((tmp_path / f"answer-{number}").read_text()))
    (number,) = (n for n, line in enumerate(typed) if "/v1/products/bulk" in line)
    (results,) = re.findall(r"```jsonl\n(.*?)```", GUIDE, re.DOTALL)
    assert (tmp_path / f"answer-{number}").read_text() == results.replace("dress-000006", dress)
    (number,) = (n for n, line in enumerate(typed) if "explain=true" in line)
    explained = json.loads((tmp_path / f"answer-{number}").read_text())["hits"]
    assert isinstance(of_explanation, dict)
    assert all(hit["explanation"].keys() == of_explanation.keys() for hit in explained)


def _two_products(shop: Path) -> tuple[str, str]:
    photos = sorted(path.name.partition("_")[0] for path in (shop / "street").glob("*_1.jpg"))
    return photos[0], photos[-1]


def _examples() -> list[object]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


def _keys_of(value: object, path: str = "") -> set[str]:
    """Paths of all keys but those of a product's attributes, which are the shop's own."""
    if isinstance(value, list):
        return set().union(*(_keys_of(one, f"{path}[]") for one in value))
    if not isinstance(value, dict) or path.endswith("attributes"):
        return set()
    return set().union(
        *({f"{path}.{key}"} | _keys_of(inner, f"{path}.{key}") for key, inner in value.items())
    )
