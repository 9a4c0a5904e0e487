"""Builds and checks wheel and sdist, and uses the wheel once in an empty environment.

With ``--sdist-tests``, tests of the sdist are run in that environment as well.
"""

from __future__ import annotations

import email
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# That the sdist has every file, `check_sdist` compares. These tests show that the files fit together: they
# read the sources, configuration, documentation and dumps, and run the command line.
SDIST_TESTS = ("tests/architecture", "tests/migrations")
TEST_TOOLS = ("pytest", "import-linter")
"""What these tests need besides the wheel; what the extra `dev` needs, `make check` has shown."""

NOT_IN_SDIST = (".github/", ".gitignore", ".pre-commit-config.yaml")
"""Files of the repository that are for those who work in it."""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Runs a command, shows it, and returns what it wrote to stdout."""
    print("$", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The wheel, which must put nothing but ``stylesearch`` at top level, and the sdist it is built from."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    check_description(wheel)
    check_sdist(sdist)
    top_level = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    unexpected = {name for name in top_level if name != "stylesearch" and not name.endswith(".dist-info")}
    if unexpected:
        sys.exit(f"the wheel puts more than stylesearch at top level: {sorted(unexpected)}")
    return wheel, sdist


def check_description(wheel: Path) -> None:
    """The description of the metadata is the README, and every link in it says where it leads."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        description = email.message_from_bytes(archive.read(name)).get_payload()
    assert isinstance(description, str)
    links = re.findall(r"\]\(([^)\s]+)", description)
    relative = [link for link in links if not link.startswith(("https://", "#"))]
    if relative or len(links) < 10:
        sys.exit(f"links of the long description that lead nowhere on PyPI, of {len(links)}: {relative}")


def check_sdist(sdist: Path) -> None:
    """The sdist has every file that is tracked, but those that are only for work in the repository."""
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2] for member in archive if member.isfile()}
    tracked = run("git", "-C", ROOT, "ls-files", "-z").split("\0")
    missing = sorted(
        name for name in tracked if name and not name.startswith(NOT_IN_SDIST) and name not in packed
    )
    if missing:
        sys.exit(f"the sdist lacks {len(missing)} files that are tracked: {missing[:20]}; see MANIFEST.in")


def main() -> None:
    """Builds, installs, draws a shop, ingests it, searches it and serves it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel, sdist = build(folder / "dist")
        venv.create(folder / "venv", with_pip=True)
        binaries = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python = binaries / "python"
        constraints = ROOT / "constraints.txt"
        # Most modules of TensorFlow are never imported: compiling them would be time and disk for nothing.
        install = (python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", constraints)
        run(*install, f"{wheel}[annoy,serve]")
        run(python, "-m", "pip", "check")
        stylesearch = binaries / "stylesearch"
        run(stylesearch, "demo", "shop", "--products", "12", cwd=folder)
        ingested = json.loads(run(stylesearch, "ingest", "shop/products.csv", "--json", cwd=folder))
        assert ingested["added"] == 12 and not ingested["failed"], ingested
        photo = sorted((folder / "shop" / "street").iterdir())[0]
        found = json.loads(run(stylesearch, "query", photo, "-k", "5", "--json", cwd=folder))
        assert len(found["hits"]) == 5, found
        assert serves(stylesearch, folder), "the service does not answer"
        print(f"the wheel works: {found['hits'][0]['title']} is nearest to {photo.name}")
        if "--sdist-tests" in sys.argv:
            with tarfile.open(sdist) as archive:
                archive.extractall(folder, filter="data")
            source = folder / sdist.name.removesuffix(".tar.gz")
            run(*install, "--editable", source, *TEST_TOOLS)
            print(run(python, "-m", "pytest", "-q", "-m", "not slow", *SDIST_TESTS, cwd=source))


def serves(stylesearch: Path, folder: Path) -> bool:
    """Starts the service on a free port, and asks it for its page and whether it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = subprocess.Popen([stylesearch, "serve", "--port", str(port)], cwd=folder)
    try:
        for _ in range(120):
            if service.poll() is not None:
                return False
            try:
                for path in ("ready", ""):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
                        assert answer.status == 200
                return True
            except (OSError, urllib.error.URLError):
                time.sleep(0.5)
        return False
    finally:
        service.terminate()
        service.wait(timeout=60)


if __name__ == "__main__":
    main()
