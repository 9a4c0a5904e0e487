"""A module imports only from layers below it, and heavy libraries stay in leaves behind a lazy table."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"array_types", "errors", "parallel"},
    {"distance_kernels", "files", "registry", "types"},
    {"distance", "images"},
    {"catalog", "drawn_shop", "extractors", "importers", "index", "spaces"},
    {"models", "settings"},
    {"search"},
    {"features"},
    {"evaluation", "ingest"},
    {"training"},
    {"workspace"},
    {"serving", "testing"},
    {"cli"},
]
LAYER_OF = {room: number for number, layer in enumerate(LAYERS) for room in layer}
HEAVY = {
    "tensorflow",
    "keras",
    "openvino",
    "sqlalchemy",
    "alembic",
    "annoy",
    "matplotlib",
    "sklearn",
    "faiss",
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "prometheus_client",
}
# The modules that may import a heavy library when they are imported: each is reached only when it is needed.
LEAVES_OF_HEAVY = {
    "tensorflow": {"extractors/", "training/keras/"},
    "keras": {"extractors/", "training/keras/"},
    "openvino": {"extractors/"},
    "sqlalchemy": {"catalog/"},
    "alembic": {"catalog/migrate"},
    "annoy": {"index/annoy"},
    "matplotlib": {"evaluation/report/charts/"},
    "sklearn": {"evaluation/report/charts/"},
    "fastapi": {"serving/"},
    "starlette": {"serving/"},
    "pydantic": {"serving/"},
    "uvicorn": {"serving/"},
    "prometheus_client": {"serving/"},
}


def sources() -> list[Path]:
    found = [*(ROOT / "stylesearch").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]
    assert len(found) > 30
    return sorted(found)


def room_of(path: Path) -> str:
    if path.is_relative_to(ROOT / "cli"):
        return "cli"
    first = path.relative_to(ROOT / "stylesearch").parts[0]
    return first.removesuffix(".py")


def imported_modules(tree: ast.AST, *, only_at_import: bool) -> set[str]:
    """Absolute names of imported modules; ``only_at_import``: not those in functions or TYPE_CHECKING."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif only_at_import and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return names


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_below_it(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in LAYER_OF, f"{room} is in no layer: add it to LAYERS and to docs/architecture.md"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name in imported_modules(tree, only_at_import=False):
        parts = name.split(".")
        if parts[0] != "stylesearch" or len(parts) < 2 or parts[1] not in LAYER_OF or parts[1] == room:
            continue
        assert LAYER_OF[parts[1]] < LAYER_OF[room], (
            f"{path.name} ({room}) imports {name}, which is not below it"
        )


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_are_imported_in_leaves_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    where = str(path.relative_to(ROOT / "stylesearch")) if room_of(path) != "cli" else f"cli/{path.name}"
    for name in imported_modules(tree, only_at_import=True):
        library = name.partition(".")[0]
        if library in HEAVY:
            allowed = LEAVES_OF_HEAVY.get(library, set())
            assert any(where.startswith(leaf) for leaf in allowed), (
                f"{where} imports {library} when it is imported"
            )
            assert path.name != "__init__.py", (
                f"a package imports {library}: every light path would pay for it"
            )


def test_the_rule_notices_an_import_from_above() -> None:
    tree = ast.parse("def f():\n    from stylesearch.search.searcher import Searcher\n")
    assert "stylesearch.search.searcher" in imported_modules(tree, only_at_import=False)
    assert imported_modules(tree, only_at_import=True) == set()
