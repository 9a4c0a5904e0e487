"""A service that is killed while clients change products: what it has answered with 2xx is there afterwards.

Clients put, change and delete products of their own, one request after the other, and single lines of bulk
requests. After a random time every process of the service is killed with -9. Then each product is as its
last answered request left it, or as the one left it that was under way; the files of its pictures are there,
with the right content; and in some trials the service is started again and asked.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from campaigns.commands import Commands, running_commands
from campaigns.shop import CONFIG, check_database, draw_shop
from campaigns.trials import Trial, TrialFailed
from tests.integration.served_process import Server
from tests.integration.tiny_shop import KEY, draw, png

__all__ = ["serving_kills"]

N_CLIENTS: Final = 3
N_PRODUCTS: Final = 4
"""Of each client."""

WHOLE_EVERY: Final = 10
"""Of so many trials one starts ``stylesearch serve`` itself; the others only the process that answers."""

HEADERS: Final = {"Authorization": f"Bearer {KEY}"}
ENVIRONMENT: Final = {"STYLESEARCH_API_KEY": KEY, "OMP_NUM_THREADS": "1"}

State = tuple[str, str] | None
"""Price and sha256 of the picture of a product; None where there is no product."""


@dataclass
class _Client:
    """Changes products of its own until the service is gone.

    Attributes:
        number: by which its products are called.
        seed: of what it does.
        certain: state of each product as of its last answer.
        underway: state that the request would have made that got no answer.
        n_answers: how many changes were answered with 2xx.
        wrong: an answer that should not be; "" without.
    """

    number: int
    seed: int
    certain: dict[str, State] = field(default_factory=dict)
    underway: dict[str, State] = field(default_factory=dict)
    n_answers: int = 0
    wrong: str = ""

    def run(self, url: str, over: threading.Event) -> None:
        """Sends one change after the other."""
        rng = random.Random(self.seed)
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
            while not over.is_set():
                product = f"c{self.number}-{rng.randrange(N_PRODUCTS)}"
                price = f"{rng.randrange(1000)}.90 EUR"
                before = self.certain.get(product)
                try:
                    answer, after = self._change(client, rng, product, price, before)
                except httpx.TransportError:
                    return
                if answer.status_code == 503:  # locked for a moment: it says so, and nothing was done
                    self.underway.pop(product, None)
                    continue
                if not answer.is_success:
                    self.wrong = (
                        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
                    )
                    return
                self.certain[product] = after
                self.underway.pop(product, None)
                self.n_answers += 1

    def _change(
        self, client: httpx.Client, rng: random.Random, product: str, price: str, before: State
    ) -> tuple[httpx.Response, State]:
        """Sends one change; its answer, and the state that it makes."""
        kind = rng.choice(("put", "patch", "bulk", "delete")) if before else "put"
        path = f"/v1/products/{product}"
        if kind == "put":
            picture = png(draw((rng.randrange(256), rng.randrange(256), rng.randrange(256)), size=(40, 40)))
            after: State = (price, hashlib.sha256(picture).hexdigest())
            self.underway[product] = after
            body: dict[str, Any] = {
                "title": f"Product {product}",
                "category": "dress",
                "price": price,
                "images": [base64.b64encode(picture).decode()],
            }
            return client.put(path, json=body), after
        if kind == "delete":
            self.underway[product] = None
            return client.delete(path), None
        assert before is not None
        after = self.underway[product] = (price, before[1])
        if kind == "patch":
            return client.patch(path, json={"price": price}), after
        line = json.dumps({"id": product, "price": price}).encode()
        answer = client.post(
            "/v1/products/bulk", content=line, headers={"Content-Type": "application/x-ndjson"}
        )
        if answer.is_success and json.loads(answer.text)["status"] != 200:
            answer.status_code = 500
        return answer, after


@contextlib.contextmanager
def serving_kills(folder: Path) -> Iterator[Trial]:
    """Ingests a shop, then serves a copy of it in each trial."""
    shop = draw_shop(folder / "shop", 12)
    whole, home = folder / "whole", folder / "home"
    whole.mkdir()
    (whole / "config.toml").write_text(CONFIG)
    with running_commands(folder / "commands", with_faults=False) as commands:
        commands.run("--home", whole, "--quiet", "ingest", shop.monday, "--source", "shop").check_manners(0)

        def trial(number: int, rng: random.Random) -> str:
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(whole, home)
            clients = [_Client(number, rng.getrandbits(32)) for number in range(N_CLIENTS)]
            wanted, seconds = rng.randint(1, 60), rng.uniform(0, 0.1)
            is_whole = number % WHOLE_EVERY == 0
            serving = _whole_service(home) if is_whole else _forked_service(home, commands)
            with serving as service:
                _kill(service, clients, wanted, seconds)
            for client in clients:
                if client.wrong:
                    raise TrialFailed(f"a change was refused: {client.wrong}")
            check_database(home / "catalog.db")
            _check(clients, _products_stored(home))
            if rng.random() < 0.25:
                with _forked_service(home, commands) as service:
                    _check(clients, _products_answered(service.url, home, clients))
            n_answers = sum(client.n_answers for client in clients)
            return f"{'the whole service ' * is_whole}killed after {n_answers} answers"

        yield trial


@dataclass(frozen=True)
class _Service:
    """A running service.

    Attributes:
        url: where it answers.
        pids: of its processes.
    """

    url: str
    pids: tuple[int, ...]

    def kill(self) -> None:
        """Kills all of its processes at once."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _whole_service(home: Path) -> Iterator[_Service]:
    """``stylesearch serve``: a supervisor, and the process that answers."""
    server = Server(home, environment=ENVIRONMENT)
    try:
        url = server.wait_until_ready().url
        yield _Service(url, (server.process.pid, *server.workers()))
    finally:
        server.end()


@contextlib.contextmanager
def _forked_service(home: Path, commands: Commands) -> Iterator[_Service]:
    """The process that answers, by itself: it starts in a moment."""
    address = commands.folder / "address"
    address.unlink(missing_ok=True)

    def run() -> None:
        commands.run(home, address, function=f"{__name__}:serve", environment=ENVIRONMENT, may_hang=True)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        end = time.monotonic() + 60
        while not (address.exists() and address.read_text().endswith("\n")):
            if not thread.is_alive() or time.monotonic() > end:
                raise TrialFailed(f"the service did not start: {(commands.folder / 'stderr').read_text()}")
            time.sleep(0.01)
        pid, port = address.read_text().split()
        service = _Service(f"http://127.0.0.1:{port}", (int(pid),))
        yield service
        service.kill()
    finally:
        thread.join(150)


def serve(home: str, address: str) -> None:
    """Serves a workspace in this process, and writes its number and port into a file."""
    import uvicorn

    import stylesearch
    from stylesearch.serving.app import create_app
    from stylesearch.serving.settings import ServiceSettings

    listener = socket.create_server(("127.0.0.1", 0))
    with stylesearch.open(home) as shop:
        app = create_app(shop, ServiceSettings(api_keys=(KEY,)))
        Path(address).write_text(f"{os.getpid()} {listener.getsockname()[1]}\n")
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listener])


def _kill(service: _Service, clients: list[_Client], wanted: int, seconds: float) -> None:
    """Lets clients change products until so many changes were answered; kills the service a moment later."""
    over = threading.Event()
    threads = [threading.Thread(target=client.run, args=(service.url, over)) for client in clients]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while sum(client.n_answers for client in clients) < wanted and not any(
        client.wrong for client in clients
    ):
        if time.monotonic() > end:
            raise TrialFailed(f"not {wanted} answers within a minute")
        time.sleep(0.001)
    time.sleep(seconds)
    service.kill()
    over.set()
    for thread in threads:
        thread.join(60)


def _check(clients: list[_Client], found: dict[str, State]) -> None:
    for client in clients:
        for product, state in client.certain.items():
            possible = [state, *([client.underway[product]] if product in client.underway else [])]
            if found.get(product) not in possible:
                raise TrialFailed(f"{product} is {found.get(product)}, and was answered to be {possible}")


def _products_stored(home: Path) -> dict[str, State]:
    """Products of the catalog, with the digest of the file of their picture."""
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as connection:
        rows = connection.execute(
            "SELECT p.id, p.price, i.path FROM products p LEFT JOIN images i ON i.product_pk = p.pk"
        ).fetchall()
    found: dict[str, State] = {}
    for product, price, path in rows:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if path and Path(path).exists() else ""
        found[product] = (price, digest)
    return found


def _products_answered(url: str, home: Path, clients: list[_Client]) -> dict[str, State]:
    """Products as a service answers that was started again."""
    found: dict[str, State] = {}
    stored = _products_stored(home)
    with httpx.Client(base_url=url, timeout=60) as client:
        for product in [product for one in clients for product in one.certain]:
            answer = client.get(f"/v1/products/{product}")
            if answer.status_code == 404:
                found[product] = None
                continue
            if answer.status_code != 200:
                raise TrialFailed(f"GET {product}: {answer.status_code} {answer.text}")
            (image,) = answer.json()["images"]
            picture = client.get(image["links"]["thumbnail"])
            if picture.status_code != 200:
                raise TrialFailed(f"the picture of {product}: {picture.status_code} {picture.text}")
            original = stored.get(product)
            found[product] = (answer.json()["price"], original[1]) if original else None
    return found
