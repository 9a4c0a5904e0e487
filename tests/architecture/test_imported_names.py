"""Every ``from module import name`` finds its name, also inside functions. Nothing is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("stylesearch", "cli", "migrations", "benchmarks", "campaigns", "tests", ".ci")
INSTALLED_AS = {"stylesearch.cli": "cli", "stylesearch.migrations": "migrations"}


def file_of(module: str) -> Path | None:
    """The source of a module of this repository; of a folder without ``__init__.py``, the folder."""
    for installed, folder in INSTALLED_AS.items():
        if module == installed or module.startswith(f"{installed}."):
            module = folder + module.removeprefix(installed)
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py"), path):
        if candidate.exists():
            return candidate
    return None


def assigned_names(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


def names_bound_by(statements: list[ast.stmt]) -> Iterator[str]:
    """Names of a module: what its statements define, assign or import, also inside ``if`` or ``try``."""
    for one in statements:
        match one:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield one.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in one.names)
            case ast.Assign():
                for target in one.targets:
                    yield from assigned_names(target)
            case ast.AnnAssign() | ast.For():
                yield from assigned_names(one.target)
        for inner in ("body", "orelse", "finalbody"):
            if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from names_bound_by(getattr(one, inner, []))
        for handler in getattr(one, "handlers", []):
            yield from names_bound_by(handler.body)


@cache
def names_of(path: Path) -> frozenset[str]:
    return frozenset(names_bound_by(ast.parse(path.read_text(encoding="utf-8")).body))


def missing_names(tree: ast.AST, package: str = "") -> Iterator[str]:
    """What a source imports of this repository and does not find there, as ``line: module.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            module = (base + (node.module or "")).strip(".")
            wanted = [(module, alias.name) for alias in node.names]
        elif is_attachment(node):
            wanted = list(attached_names(node, package))
        else:
            continue
        for module, name in wanted:
            if module.partition(".")[0] not in FOLDERS:
                continue
            path = file_of(module)
            if path is None:
                yield f"{node.lineno}: {module}"
            elif name and not file_of(f"{module}.{name}") and (path.is_dir() or name not in names_of(path)):
                yield f"{node.lineno}: {module}.{name}"


def is_attachment(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_loader.attach"


def attached_names(call: ast.Call, package: str) -> Iterator[tuple[str, str]]:
    """Names that a package loads lazily, with their modules."""
    (table,) = (keyword.value for keyword in call.keywords if keyword.arg == "submod_attrs")
    for module, names in ast.literal_eval(table).items():
        yield from ((f"{package}.{module}", name) for name in names)


def test_every_imported_name_is_there() -> None:
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 400
    missing = []
    for path in sources:
        where = path.relative_to(ROOT)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        missing += [f"{where}:{found}" for found in missing_names(tree, ".".join(where.parent.parts))]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from stylesearch.types import Box", []),
        ("import stylesearch.catalog.tables", []),
        ("from stylesearch.catalog import tables", []),
        ("from stylesearch.cli.main import cli", []),
        ("from . import types", []),
        ("def f():\n    from stylesearch.types import Crate", ["2: stylesearch.types.Crate"]),
        ("from .types import Crate", ["1: stylesearch.types.Crate"]),
        ("from stylesearch.crates import Box", ["1: stylesearch.crates"]),
        ("import benchmarks.crates", ["1: benchmarks.crates"]),
        (
            "lazy_loader.attach(__name__, submod_attrs={'types': ['Box', 'Crate']})",
            ["1: stylesearch.types.Crate"],
        ),
    ],
)
def test_what_is_missing_is_found(code: str, found: list[str]) -> None:
    assert list(missing_names(ast.parse(code), "stylesearch")) == found
