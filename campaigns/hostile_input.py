"""Hostile pictures and tables: each is taken in, or refused with a reason, in bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from campaigns.commands import Commands, running_commands
from campaigns.fuzz_targets import TARGETS
from campaigns.mutation import mutate
from campaigns.peak_memory import peak_megabytes
from campaigns.shop import CONFIG
from campaigns.trials import Trial, TrialFailed
from tests.hostile_pictures import HOSTILE, make

__all__ = ["hostile_pictures", "hostile_tables"]

MAX_CPU_SECONDS: Final = 60
MAX_ADDRESSES: Final = 6 << 30
LIMITS: Final = {"AS": MAX_ADDRESSES, "CPU": MAX_CPU_SECONDS, "CORE": 0}
SIZES: Final = (1_000_000, 3_000_000, 20_000_000)


@contextlib.contextmanager
def hostile_pictures(folder: Path) -> Iterator[Trial]:
    """Decodes a hostile picture in each trial, half of them mutated, in limited memory and processor time."""
    names = sorted(HOSTILE)
    with running_commands(folder / "commands", with_faults=False) as commands:

        def trial(number: int, rng: random.Random) -> str:
            name, size = names[number % len(names)], rng.choice(SIZES)
            data = make(name, size)
            mutated = rng.random() < 0.5
            if mutated:
                data = mutate(data[:2_000_000], rng)
            path = folder / "picture"
            path.write_bytes(data)
            done = commands.run(path, function=f"{__name__}:decode_file", limits=LIMITS)
            said = f"{name} of {len(data)} bytes{', mutated' * mutated}"
            try:
                done.check_manners(0)
            except TrialFailed as error:
                raise TrialFailed(f"{said}: {error}") from error
            return f"{said}: {done.out.strip()[:100]}, {done.seconds:.1f} s"

        yield trial


def decode_file(path: str) -> None:
    """Decodes a file as an upload is, and prints what it is or why it was refused."""
    import resource

    from stylesearch.errors import StyleSearchError
    from stylesearch.images.decode import decode

    try:
        decoded = decode(path, max_pixels=50_000_000)
        said = f"{decoded.width} x {decoded.height}"
    except StyleSearchError as error:
        said = str(error).replace(path, "it")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{said}; {used.ru_utime + used.ru_stime:.1f} s, {peak_megabytes()} MB")


Maker = Callable[[random.Random], tuple[str, bytes]]
"""Makes a hostile table; a name for its suffix, and its bytes."""


def _wide(rng: random.Random) -> tuple[str, bytes]:
    n = rng.choice((1_000, 100_000))
    header = ",".join(f"column {number}" for number in range(n))
    return ".csv", f"id,title,image,{header}\n1,a,b.jpg\n".encode()


def _long_cell(rng: random.Random) -> tuple[str, bytes]:
    return ".csv", b"id,title,image\n1," + b"x" * rng.choice((100_000, 5_000_000)) + b",a.jpg\n2,b,c.jpg\n"


def _open_quote(rng: random.Random) -> tuple[str, bytes]:
    return ".csv", b'id,title,image\n1,"never closed,a.jpg\n' + b"2,b,c.jpg\n" * rng.choice((10, 200_000))


def _nulls(rng: random.Random) -> tuple[str, bytes]:
    return ".csv", b"id,title,image\n" + b"\0" * rng.choice((10, 1_000_000)) + b"1,a,b.jpg\n"


def _odd_numbers(rng: random.Random) -> tuple[str, bytes]:
    prices = ("nan", "inf", "-1", "1e999", "9" * 400, "1,2,3,4", "٣٫٥ €", "=1+1", "1'000.-")
    rows = "\n".join(f'{number},t,"{price}",a.jpg' for number, price in enumerate(prices))
    return ".csv", f"id,title,price,image\n{rows}\n".encode()


def _paths(rng: random.Random) -> tuple[str, bytes]:
    places = (
        "../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        "s3://a/b",
        "data:image/png;base64,AAAA",
        "http://[::1]:1/x",
        "\\\\host\\share",
        "a\0b.jpg",
        "x" * 5000,
        "http://" + "a" * 3000,
    )
    rows = b"".join(b'%d,t,"%s"\n' % (number, place.encode()) for number, place in enumerate(places))
    return ".csv", b"id,title,image\n" + rows


def _entities(rng: random.Random) -> tuple[str, bytes]:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return ".xml", f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "x">{entities}]><rss>&e9;</rss>'.encode()


def _deep(rng: random.Random) -> tuple[str, bytes]:
    n = rng.choice((1_000, 200_000))
    return ".xml", b"<rss><channel><item>" + b"<a>" * n + b"</a>" * n + b"</item></channel></rss>"


def _bomb(rng: random.Random) -> tuple[str, bytes]:
    seed = next(data[1:] for data in TARGETS["table"].seeds() if data[1:3] == b"PK")
    packed = BytesIO()
    with zipfile.ZipFile(BytesIO(seed)) as honest, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in honest.namelist():
            content = honest.read(name)
            if name == "xl/worksheets/sheet1.xml":
                row = b'<row r="9"><c r="A9" t="inlineStr"><is><t>x</t></is></c></row>'
                content = content.replace(b"</sheetData>", row * rng.choice((100, 200_000)) + b"</sheetData>")
                content = content.replace(
                    b"<sheetData>", b"<sheetData>" + b" " * rng.choice((1, 100_000_000))
                )
            made.writestr(name, content)
    return ".xlsx", packed.getvalue()


def _mutated_table(rng: random.Random) -> tuple[str, bytes]:
    from campaigns.fuzz_targets import TABLE_SUFFIXES

    seeds = TARGETS["table"].seeds()
    data = rng.choice(seeds)
    return TABLE_SUFFIXES[data[0] % len(TABLE_SUFFIXES)], mutate(data[1:], rng, tuple(seeds))


MAKERS: Final[tuple[Maker, ...]] = (
    _wide,
    _long_cell,
    _open_quote,
    _nulls,
    _odd_numbers,
    _paths,
    _entities,
    _deep,
    _bomb,
    _mutated_table,
    _mutated_table,
    _mutated_table,
)


@contextlib.contextmanager
def hostile_tables(folder: Path) -> Iterator[Trial]:
    """Reads a hostile table in each trial, in limited memory and processor time."""
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)
    with running_commands(folder / "commands", with_faults=False) as commands:

        def trial(number: int, rng: random.Random) -> str:
            make_table = MAKERS[number % len(MAKERS)]
            suffix, data = make_table(rng)
            path = folder / f"table{suffix}"
            path.write_bytes(data)
            try:
                return f"{make_table.__name__[1:]} of {len(data)} bytes: {_ingest(commands, home, path)}"
            except TrialFailed as error:
                raise TrialFailed(f"{make_table.__name__[1:]} of {len(data)} bytes: {error}") from error
            finally:
                path.unlink()

        yield trial


def _ingest(commands: Commands, home: Path, path: Path) -> str:
    done = commands.run("--home", home, "ingest", path, "--dry-run", "--json", "--offline", limits=LIMITS)
    done.check_manners(0, 1, 3)
    if done.code != 1:
        report = json.loads(done.out)
        return f"exit {done.code}, {len(report.get('failed', ()))} rows refused"
    return f"exit 1, {done.err.strip().splitlines()[-1][:100]}"
