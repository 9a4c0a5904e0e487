"""Fuzzes readers of what strangers send: ``python -m campaigns fuzz decode table --minutes 10``.

With Atheris installed (``pip install atheris``), inputs are made up by the branches that they reach. Without
it they are mutations of the seeds, and of nothing learned. A process fuzzes; where it ends by an exception, a
crash, too much memory or time, the input is kept beside the results, and another process goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from campaigns.fuzz_targets import TARGETS, Target
from campaigns.peak_memory import peak_megabytes
from campaigns.summary import print_summary
from campaigns.trials import RESULTS, Outcome, append_outcome, read_outcomes

__all__ = ["fuzz_with_mutations", "main"]

MAX_MEGABYTES: Final = 2048
"""Resident memory of a process that fuzzes; far more than any target needs for inputs this small."""

MAX_ADDRESSES: Final = 6 << 30
MAX_SECONDS: Final = 30
"""That one input may take."""

MAX_FINDINGS: Final = 20
"""After so many a target is given up: it is to be mended first."""


def main(arguments: list[str]) -> int:
    """Fuzzes targets for some minutes each; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m campaigns fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", choices=[*TARGETS, "all"], help=f"of {', '.join(TARGETS)}, or all"
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=Path, help="one input to be tried again")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--in-this-process", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    names = list(TARGETS) if "all" in options.targets else options.targets
    if not names:
        parser.print_help()
        return 2
    if options.input is not None:
        TARGETS[names[0]].run(options.input.read_bytes())
        print("nothing happened")
        return 0
    if options.in_this_process is not None:
        _fuzz_here(TARGETS[names[0]], options.in_this_process, options.seed, options.minutes)
        return 0
    for name in names:
        _fuzz(TARGETS[name], options.seed, options.minutes, options.results)
    found = [one for one in read_outcomes(options.results) if one.campaign.startswith("fuzz ")]
    return int(print_summary(found) > 0)


def _fuzz(target: Target, seed: int, minutes: float, results: Path) -> None:
    """Runs processes that fuzz until the minutes are over, and keeps an outcome of each."""
    campaign = f"fuzz {target.name}"
    earlier = [one for one in read_outcomes(results) if (one.campaign, one.seed) == (campaign, seed)]
    left = 60 * minutes - sum(one.seconds for one in earlier)
    number = len(earlier)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for seed_input in target.seeds():
            (corpus / hashlib.sha256(seed_input).hexdigest()[:20]).write_bytes(seed_input)
        while left > 1 and sum(bool(one.problem) for one in earlier) < MAX_FINDINGS:
            outcome = _run_process(target, folder, results.parent, seed, number, left)
            append_outcome(results, outcome)
            earlier.append(outcome)
            left -= outcome.seconds
            number += 1


def _run_process(target: Target, folder: Path, kept: Path, seed: int, number: int, seconds: float) -> Outcome:
    """Runs one process that fuzzes; what it tried, and the finding that ended it."""
    log = folder / "log"
    began = time.monotonic()
    command = [sys.executable, "-m", "campaigns", "fuzz", target.name, "--in-this-process", str(folder)]
    with log.open("wb") as said:
        subprocess.run(
            [*command, "--minutes", str(seconds / 60), "--seed", str(seed * 1000 + number)],
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=seconds + 10 * MAX_SECONDS,
        )
    took = round(time.monotonic() - began, 1)
    text = log.read_text(errors="replace")
    counts = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(
        r"^#(\d+)", text, re.MULTILINE
    )
    n_inputs = int(counts[-1]) if counts else 0
    findings = sorted(folder.glob("finding-*"))
    problem = ""
    if findings:
        path = kept / f"{target.name}-{findings[0].name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(findings[0].read_bytes())
        findings[0].unlink()
        problem = f"{path}: {_last_words(text)}; python -m campaigns fuzz {target.name} --input {path}"
        print(f"FOUND: {problem}", flush=True)
    elif not n_inputs:
        raise RuntimeError(f"nothing was fuzzed:\n{text[-3000:]}")
    tried = f"{n_inputs} inputs with {'Atheris' if _has_atheris() else 'mutations of seeds'}"
    return Outcome(f"fuzz {target.name}", seed, number, "" if problem else tried, problem, took, n_inputs)


def _last_words(log: str) -> str:
    """The line of a log that says what happened, and where in the project."""
    lines = [line.strip() for line in log.splitlines()]
    said = [
        line
        for line in lines
        if re.match(r"([\w.]+(Error|Exception|Warning)\b|==\d+== ?ERROR|MemoryError)", line)
    ]
    places = [line for line in lines if line.startswith("File ") and "/stylesearch/" in line]
    return " at ".join([(said or lines or ["?"])[-1][:300], *places[-1:]])


def _has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _fuzz_here(target: Target, folder: Path, seed: int, minutes: float) -> None:
    """Fuzzes in this process, which ends at the first finding."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, MAX_ADDRESSES))
    if _has_atheris():
        _fuzz_with_atheris(target, folder, seed, minutes)
    else:
        fuzz_with_mutations(target, folder, seed, minutes)


def _fuzz_with_atheris(target: Target, folder: Path, seed: int, minutes: float) -> None:
    import atheris

    with atheris.instrument_imports(include=list(target.modules)):
        for name in target.modules:
            importlib.import_module(name)
        for path in sorted((folder / "corpus").iterdir())[:50]:
            target.run(path.read_bytes())  # imports what readers import when they need it
    arguments = [
        sys.argv[0],
        f"-max_total_time={max(1, round(60 * minutes))}",
        "-rss_limit_mb=0",  # libFuzzer asks getrusage: see peak_megabytes
        f"-timeout={MAX_SECONDS}",
        f"-max_len={target.max_bytes}",
        f"-seed={seed}",
        f"-artifact_prefix={folder}/finding-",
        "-print_final_stats=1",
        "-detect_leaks=0",
        str(folder / "corpus"),
    ]

    def run(data: bytes) -> None:
        target.run(data)
        _check_memory()

    atheris.Setup(arguments, run)
    atheris.Fuzz()


def fuzz_with_mutations(target: Target, folder: Path, seed: int, minutes: float) -> None:
    """Tries mutations of the corpus in this process until one raises an exception, or the time is over.

    Args:
        target: what is tried.
        folder: with ``corpus/``; the input that is tried is kept in it as ``finding-last``.
        seed: of the mutations.
        minutes: how long.
    """
    from campaigns.mutation import mutate

    rng = random.Random(seed)
    seeds = tuple(path.read_bytes() for path in sorted((folder / "corpus").iterdir()))
    end = time.monotonic() + 60 * minutes
    n_inputs = 0
    current = folder / "finding-last"
    while time.monotonic() < end:
        data = mutate(rng.choice(seeds), rng, seeds)[: target.max_bytes]
        current.write_bytes(data)  # so that it is there where the process dies of it
        n_inputs += 1
        try:
            target.run(data)
            _check_memory()
        except BaseException:
            print(f"#{n_inputs}", flush=True)
            raise
    current.unlink()
    print(f"#{n_inputs}", flush=True)


def _check_memory() -> None:
    """Raises MemoryError if this process has ever had more than ``MAX_MEGABYTES`` in memory."""
    if (peak := peak_megabytes()) > MAX_MEGABYTES:
        raise MemoryError(f"more than {MAX_MEGABYTES} MB: {peak}")
