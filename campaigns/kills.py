"""Commands that write, killed or failed by the disk, and run again: the end is as if nothing had happened.

After each trial: the catalog opens and is whole, no product is lost that the command would have kept, the
command run again succeeds, and then the catalog holds what it holds after an undisturbed run, its indexes are
whole, and a search finds the same products.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from campaigns.commands import Commands, Done, running_commands
from campaigns.faults import Fault, FaultKind
from campaigns.shop import (
    CONFIG,
    OLD_CATALOGS,
    Shop,
    check_database,
    check_nothing_lost,
    content,
    differences,
    draw_shop,
    products_of,
    replace_folder,
)
from campaigns.trials import Trial, TrialFailed

__all__ = ["STEPS", "Disturbed", "Prepared", "Step", "errors", "kills", "operations", "prepare"]


@dataclass(frozen=True)
class Step:
    """A command that is disturbed.

    Attributes:
        name: for messages.
        start: the state that it starts from: ``empty``; ``monday``; ``backed up`` and ``exported``, a later
            day with a backup or an export of Monday beside it; or the revision of an older version's catalog.
        arguments: of the command; ``{shop}`` and ``{home}`` stand for folders.
        again: exit codes of the command when it runs after it was disturbed: 1 where it may be done already.
        leaves_indexes: whether, run again after all but the indexes was done, it finds nothing to do:
            searches are right, and slower, until the next ``index build``, which is run before they are
            compared.
        is_whole: whether it makes all of its changes of products or none, wherever it is disturbed.
    """

    name: str
    start: str
    arguments: tuple[str, ...]
    again: tuple[int, ...] = (0,)
    leaves_indexes: bool = False
    is_whole: bool = False


STEPS: Final = (
    Step("ingest", "empty", ("ingest", "{shop}/monday.csv", "--source", "shop")),
    Step("upgrade", "0001", ("db", "upgrade"), is_whole=True),
    Step("upgrade of 0002", "0002", ("db", "upgrade"), is_whole=True),
    Step("index", "monday", ("index", "build")),
    Step("remove", "monday", ("products", "remove", "--category", "coat", "--yes"), (0, 1), True),
    Step("prune", "monday", ("ingest", "{shop}/tuesday.csv", "--source", "shop", "--prune", "--force")),
    Step("rename", "monday", ("categories", "rename", "coat", "jacket"), (0, 1), True),
    Step("sources", "monday", ("sources", "remove", "shop", "--yes"), (0, 1), True),
    Step("backup", "monday", ("db", "backup", "{home}/copy.db", "--overwrite"), is_whole=True),
    Step(
        "full backup", "monday", ("db", "backup", "{home}/copy.tar", "--full", "--overwrite"), is_whole=True
    ),
    Step(
        "restore",
        "backed up",
        ("db", "restore", "{home}/copy.db", "--yes"),
        leaves_indexes=True,
        is_whole=True,
    ),
    Step("export", "monday", ("db", "export", "{home}/dump.tar", "--overwrite"), is_whole=True),
    Step(
        "import",
        "exported",
        ("db", "import", "{home}/dump.tar", "--overwrite", "--yes"),
        leaves_indexes=True,
        is_whole=True,
    ),
    Step("vacuum", "monday", ("db", "vacuum"), is_whole=True),
)


@dataclass(frozen=True)
class Prepared:
    """A step with what it starts from and ends with.

    Attributes:
        step: it.
        arguments: of its command.
        before: the workspace that it starts from.
        products_before, products_after: of the catalog before it and after it.
        wanted: content of the catalog after it.
        hits: what a search finds after it.
        verified: exit code of ``index verify`` after it: 1 where nothing has been ingested, 3 where a catalog
            that was emptied has left indexes over.
        n_operations: how many operations on files it makes, about.
        seconds: how long it takes.
    """

    step: Step
    arguments: tuple[str, ...]
    before: Path
    products_before: set[tuple[object, ...]]
    products_after: set[tuple[object, ...]]
    wanted: list[object]
    hits: list[str]
    verified: int
    n_operations: int
    seconds: float


class Disturbed:
    """Runs steps in one workspace, disturbs them, and checks what is left.

    Args:
        folder: an empty one.
        commands: what runs them.
    """

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.shop: Shop = draw_shop(folder / "shop")
        self.home = folder / "home"
        self.commands = commands
        self._states = folder / "states"
        self._prepared: dict[str, Prepared] = {}

    @property
    def database(self) -> Path:
        """The catalog's file."""
        return self.home / "catalog.db"

    def run(self, *arguments: str, **options: Any) -> Done:
        """Runs a command in the workspace."""
        return self.commands.run("--home", str(self.home), "--quiet", *arguments, **options)

    def _state(self, name: str) -> Path:
        """A workspace in a state that steps start from; it is made when it is first needed."""
        state = self._states / name
        if not state.exists():
            self._make(name)
            replace_folder(self.home, state)
        return state

    def _make(self, name: str) -> None:
        """Makes the workspace what a state is."""
        if name == "empty":
            shutil.rmtree(self.home, ignore_errors=True)
            self.home.mkdir()
            (self.home / "config.toml").write_text(CONFIG)
        elif name == "monday":
            replace_folder(self._state("empty"), self.home)
            self.run("ingest", str(self.shop.monday), "--source", "shop").check_manners(0)
        elif name in ("backed up", "exported"):
            replace_folder(self._state("monday"), self.home)
            copy = ("backup", "copy.db") if name == "backed up" else ("export", "dump.tar")
            self.run("db", copy[0], str(self.home / copy[1])).check_manners(0)
            later = ("ingest", str(self.shop.tuesday), "--source", "shop", "--prune", "--force")
            self.run(*later).check_manners(0)
        else:
            replace_folder(self._state("empty"), self.home)
            with contextlib.closing(sqlite3.connect(self.database)) as connection:
                connection.executescript((OLD_CATALOGS / f"{name}.sql").read_text(encoding="utf-8"))
                connection.executescript("DELETE FROM features; DELETE FROM feature_sets;")  # made up ones

    def reset(self, prepared: Prepared) -> None:
        """Makes the workspace what a step starts from."""
        replace_folder(prepared.before, self.home)

    def prepare(self, number: int) -> Prepared:
        """The step of a trial, which is run undisturbed when it is first needed."""
        step = STEPS[number % len(STEPS)]
        if step.name not in self._prepared:
            self._prepared[step.name] = self._run_undisturbed(step)
        return self._prepared[step.name]

    def _run_undisturbed(self, step: Step) -> Prepared:
        names = {"shop": str(self.shop.folder), "home": str(self.home)}
        arguments = tuple(argument.format(**names) for argument in step.arguments)
        before = self._state(step.start)
        replace_folder(before, self.home)
        products_before = products_of(self.database)
        done = self.run(*arguments, fault=Fault(str(self.home))).check_manners(0)
        wanted = content(self.home)
        if step.leaves_indexes:
            self.run("index", "build").check_manners(0, 1)
        return Prepared(
            step,
            arguments,
            before,
            products_before,
            products_of(self.database),
            wanted,
            self.search(),
            self.run("index", "verify").check_manners(0, 1, 3).code,
            done.n_operations,
            done.seconds,
        )

    def search(self) -> list[str]:
        """Products that a photo finds, nearest first; none where nothing is indexed."""
        done = self.run("query", str(self.shop.photo), "-k", "12", "--json").check_manners(0, 1)
        return [hit["product"] for hit in done.json["hits"]] if not done.code else []

    def check(self, prepared: Prepared) -> None:
        """Checks what a disturbed step left, runs it again, and compares with the undisturbed one."""
        check_database(self.database)
        before, after, now = prepared.products_before, prepared.products_after, products_of(self.database)
        check_nothing_lost(before, after, now)
        if prepared.step.is_whole and now not in (before, after):
            raise TrialFailed(f"{prepared.step.name} is half done: {len(now)} of {len(after)} products")
        check_database(self.home / "copy.db")
        self.run(*prepared.arguments).check_manners(*prepared.step.again)
        check_database(self.database)
        if said := differences(prepared.wanted, content(self.home)):
            raise TrialFailed(f"{prepared.step.name} ends otherwise when it is run again: {said}")
        if prepared.step.leaves_indexes:
            self.run("index", "build").check_manners(0, 1)
        self.run("index", "verify").check_manners(prepared.verified)
        if (hits := self.search()) != prepared.hits:
            raise TrialFailed(f"{prepared.step.name}: a search finds {hits}, not {prepared.hits}")


Disturbance = Callable[[Disturbed, Prepared, random.Random], str]


@contextlib.contextmanager
def prepare(folder: Path) -> Iterator[Disturbed]:
    """The workspace of these campaigns."""
    with running_commands(folder / "commands") as commands:
        yield Disturbed(folder, commands)


def _campaign(disturb: Disturbance) -> Callable[[Path], contextlib.AbstractContextManager[Trial]]:
    @contextlib.contextmanager
    def campaign(folder: Path) -> Iterator[Trial]:
        with prepare(folder) as disturbed:

            def trial(number: int, rng: random.Random) -> str:
                prepared = disturbed.prepare(number)
                disturbed.reset(prepared)
                said = disturb(disturbed, prepared, rng)
                try:
                    disturbed.check(prepared)
                except TrialFailed as error:
                    raise TrialFailed(f"{prepared.step.name}, {said}: {error}") from error
                return f"{prepared.step.name}: {said}"

            yield trial

    return campaign


def _kill_at_a_moment(disturbed: Disturbed, prepared: Prepared, rng: random.Random) -> str:
    moment = rng.uniform(0, 1.05 * prepared.seconds)
    done = disturbed.run(*prepared.arguments, kill_after=moment)
    if done.code >= 0:
        done.check_manners(0)
    return f"killed after {moment:.3f} s" if done.code < 0 else f"done before {moment:.3f} s"


def _kill_at_an_operation(disturbed: Disturbed, prepared: Prepared, rng: random.Random) -> str:
    at = rng.randint(1, max(1, prepared.n_operations))
    kind = rng.choice((FaultKind.KILL, FaultKind.KILL_HALFWAY))
    done = disturbed.run(*prepared.arguments, fault=Fault(str(disturbed.home), kind, at))
    if done.code >= 0:
        done.check_manners(0)
    return f"{kind.name} at operation {at} of {prepared.n_operations}, exit {done.code}"


def _fail_an_operation(disturbed: Disturbed, prepared: Prepared, rng: random.Random) -> str:
    at = rng.randint(1, max(1, prepared.n_operations))
    kind = rng.choice([kind for kind in FaultKind if kind >= FaultKind.NO_SPACE])
    fault = Fault(str(disturbed.home), kind, at)
    codes = (0,) if kind is FaultKind.SHORT_WRITE else (0, 1, 3)
    done = disturbed.run(*prepared.arguments, fault=fault)
    try:
        done.check_manners(*codes)
    except TrialFailed as error:
        raise TrialFailed(f"{kind.name} at operation {at} of {prepared.n_operations}: {error}") from error
    return f"{kind.name} at operation {at} of {prepared.n_operations}, exit {done.code}"


kills = _campaign(_kill_at_a_moment)
operations = _campaign(_kill_at_an_operation)
errors = _campaign(_fail_an_operation)
