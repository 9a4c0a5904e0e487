"""Damaged files of a workspace: commands and endpoints answer right, or say in a line what is damaged.

Each trial damages one file (a flipped bit, a lost end, zeroed or foreign blocks), then runs some commands,
and in half of the trials asks the endpoints. A traceback, an answer 500, a crash or an endless wait is a
failure. Where a command answers otherwise than from the undamaged workspace and says nothing, the outcome has
the word SILENT: not everything is checked at every read, and docs/reliability.md says what is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from campaigns.commands import Commands, Done, running_commands
from campaigns.mutation import damage
from campaigns.shop import CONFIG, Shop, draw_shop, replace_folder
from campaigns.trials import Trial, TrialFailed

__all__ = ["ask_endpoints", "damaged_files"]

COMMANDS: Final = (
    ("query", "{photo}", "-k", "5", "--json"),
    ("query", "--product", "p1", "-k", "5", "--json"),
    ("query", "{photo}", "-s", "siamese:default", "-k", "5", "--json"),
    ("products", "list", "--json"),
    ("products", "show", "p1", "--json"),
    ("products", "duplicates", "--json"),
    ("products", "export", "--overwrite", "--output", "{scratch}/out.csv"),
    ("categories", "list", "--json"),
    ("sources", "list", "--json"),
    ("cache", "status", "--json"),
    ("models", "list", "--json"),
    ("models", "show", "default", "--json"),
    ("index", "status", "--json"),
    ("index", "verify"),
    ("index", "build"),
    ("db", "check"),
    ("db", "current"),
    ("db", "upgrade"),
    ("doctor",),
    ("ingest", "{table}", "--source", "shop"),
    ("ingest", "{table}", "--source", "shop", "--dry-run"),
    ("products", "remove", "p2", "--yes"),
    ("detect", "{photo}", "--json"),
)
"""What is run; ``{photo}``, ``{table}`` and ``{scratch}`` stand for paths."""

STABLE: Final = ("query", "products list", "products show", "categories list")
"""Of these commands the answer is compared with that of the undamaged workspace."""

ENDPOINTS: Final = (
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/page"),
    ("GET", "/v1/products?limit=5"),
    ("GET", "/v1/products/p1"),
    ("GET", "/v1/products/p1/similar?k=3"),
    ("GET", "/v1/categories"),
    ("POST", "/v1/search"),
    ("PATCH", "/v1/products/p1"),
    ("DELETE", "/v1/products/p3"),
)
KEY: Final = "a-key-of-these-campaigns-0123456789"


@contextlib.contextmanager
def damaged_files(folder: Path) -> Iterator[Trial]:
    """Ingests a shop and saves a model; damages one file of a copy of the workspace in each trial."""
    shop = draw_shop(folder / "shop")
    home, whole, scratch = folder / "home", folder / "whole", folder / "scratch"
    home.mkdir()
    scratch.mkdir()
    (home / "config.toml").write_text(CONFIG)
    with running_commands(folder / "commands", with_faults=False) as commands:

        def run(*arguments: str) -> Done:
            names = {"photo": shop.photo, "table": shop.monday, "scratch": scratch}
            texts = [argument.format(**names) for argument in arguments]
            return commands.run("--home", home, *texts)

        run("ingest", "{table}", "--source", "shop").check_manners(0)
        commands.run(home, function=f"{__name__}:save_model").check_manners(0)
        run("index", "build").check_manners(0)
        replace_folder(home, whole)
        expected: dict[tuple[str, ...], tuple[Any, str]] = {}
        for command in COMMANDS:
            if " ".join(command).startswith(STABLE):
                done = run(*command).check_manners(0)
                expected[command] = _without_times(done.out), done.err
        files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
        chosen = [path for path in files if not path.name.endswith((".lock", "-wal", "-shm"))]

        def trial(number: int, rng: random.Random) -> str:
            replace_folder(whole, home)
            path = home / _choose(chosen, rng)
            data, done_to_it = damage(path.read_bytes(), rng)
            path.write_bytes(data)
            os.utime(path, ns=(1, 1)) if rng.random() < 0.2 else None
            said = f"{path.relative_to(home)}: {done_to_it}"
            told: list[str] = []
            silent: list[str] = []
            try:
                for command in rng.sample(COMMANDS, 3):
                    done = run(*command)
                    done.check_manners(0, 1, 3)
                    _check_words(done)
                    if done.code:
                        told.append(" ".join(command[:2]))
                        continue
                    answer, words = expected.get(command, (None, done.err))
                    if done.err != words:
                        told.append(" ".join(command[:2]))
                    elif answer is not None and _without_times(done.out) != answer:
                        silent.append(" ".join(command[:2]))
                if rng.random() < 0.5:
                    told += _check_endpoints(commands, home, shop)
            except TrialFailed as error:
                raise TrialFailed(f"{said}: {error}") from error
            return f"{said}: told by {len(told)}{', SILENT: ' + ', '.join(silent) if silent else ''}"

        yield trial


def _choose(files: list[Path], rng: random.Random) -> Path:
    """A file: the catalog, which is most of a workspace, a third of the time."""
    return Path("catalog.db") if rng.random() < 0.33 else rng.choice(files)


def _without_times(text: str) -> Any:
    """What a command printed, without how long it took."""
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(text)
        if isinstance(value, dict):
            value.pop("timings", None)
            value.pop("seconds", None)
        return value
    return text


def _check_words(done: Done) -> None:
    """An error is told in a line, with a hint at most; findings of verify and doctor are lists."""
    if done.code == 1:
        errors = [line for line in done.err.splitlines() if line.startswith("error:") or '"error"' in line]
        if not errors and not done.out.strip():
            raise TrialFailed(f"it failed and does not say why: {done.last_words()}")


def _check_endpoints(commands: Commands, home: Path, shop: Shop) -> list[str]:
    """Asks all endpoints; which of them told an error."""
    done = commands.run(home, shop.photo, function=f"{__name__}:ask_endpoints")
    done.check_manners(0)
    told = []
    for name, status, text in json.loads(done.out.splitlines()[-1]):
        if status >= 500 and status != 503:
            raise TrialFailed(f"{name}: {status} {text[:500]}; log: {done.err[-1500:]}")
        if status >= 400:
            told.append(name)
    return told


def ask_endpoints(home: str, photo: str) -> None:
    """Serves a workspace in this process, and prints status and beginning of each answer."""
    from starlette.testclient import TestClient

    import stylesearch
    from stylesearch.errors import StyleSearchError
    from stylesearch.serving.app import create_app
    from stylesearch.serving.settings import ServiceSettings

    answers: list[tuple[str, int, str]] = []
    with contextlib.ExitStack() as stack:
        try:
            shop = stack.enter_context(stylesearch.open(home))
            app = create_app(shop, ServiceSettings(api_keys=(KEY,)))
            client = stack.enter_context(
                TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
            )
        except StyleSearchError as error:  # `stylesearch serve` ends with it as its message
            print(json.dumps([["start", 400, str(error)]]))
            return
        for method, path in ENDPOINTS:
            options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {KEY}"}}
            if method == "POST":
                options["files"] = {"image": Path(photo).read_bytes()}
            if method == "PATCH":
                options["json"] = {"price": "1.90 EUR"}
            answer = client.request(method, path, **options)
            answers.append((f"{method} {path}", answer.status_code, answer.text[:600]))
    print(json.dumps(answers))


def save_model(home: str) -> None:
    """Saves a model of random numbers in a workspace."""
    from stylesearch.settings import load_settings
    from stylesearch.testing.fake_model import save_fake_model

    save_fake_model(load_settings({"home": Path(home)}))
