"""Contracts of who may import whom, and heavy libraries only in modules that are reached when needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {
    "alembic",
    "annoy",
    "cv2",
    "faiss",
    "fastapi",
    "jinja2",
    "keras",
    "matplotlib",
    "openvino",
    "prometheus_client",
    "pydantic",
    "scipy",
    "skimage",
    "sklearn",
    "sqlalchemy",
    "starlette",
    "tensorflow",
    "uvicorn",
}
# The modules that may import a heavy library when they are imported: each is reached only when it is needed.
LEAVES_OF_HEAVY = {
    "alembic": ("catalog/migrate",),
    "annoy": ("index/annoy",),
    "cv2": ("extractors/", "images/", "persons/"),
    "faiss": ("index/inverted_lists",),
    "fastapi": ("serving/",),
    "jinja2": ("evaluation/report/",),
    "keras": ("extractors/", "training/keras/"),
    "matplotlib": ("evaluation/report/charts/",),
    "openvino": ("extractors/",),
    "prometheus_client": ("serving/",),
    "pydantic": ("serving/",),
    "scipy": ("training/",),
    "skimage": ("extractors/",),
    "sklearn": ("evaluation/report/charts/",),
    "sqlalchemy": ("catalog/", "search/pgvector/"),
    "starlette": ("serving/",),
    "tensorflow": ("extractors/", "training/keras/"),
    "uvicorn": ("serving/",),
}


def lint_imports(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", config]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_keep_the_contracts() -> None:
    done = lint_imports(ROOT, ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_cycle_is_noticed_also_where_an_import_is_lazy(tmp_path: Path) -> None:
    package = tmp_path / "circular"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("from circular import two\n")
    (package / "two.py").write_text("def f():\n    from circular import one\n    return one\n")
    config = tmp_path / "imports.toml"
    config.write_text(
        '[tool.importlinter]\nroot_package = "circular"\n'
        '[[tool.importlinter.contracts]]\nname = "no cycles"\ntype = "acyclic_siblings"\n'
        'ancestors = ["circular"]\n'
    )
    done = lint_imports(tmp_path, config)
    assert done.returncode == 1
    assert "No cycles are allowed in circular" in done.stdout


def imported_when_imported(tree: ast.AST) -> set[str]:
    """Libraries that importing a module imports: not those in functions or under TYPE_CHECKING."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return names


def test_heavy_libraries_are_imported_in_leaves_only() -> None:
    sources = {
        **{
            str(path.relative_to(ROOT / "stylesearch")): path for path in (ROOT / "stylesearch").rglob("*.py")
        },
        **{f"cli/{path.name}": path for path in (ROOT / "cli").rglob("*.py")},
    }
    assert len(sources) > 200
    wrong = [
        f"{where} imports {library}"
        for where, path in sorted(sources.items())
        for library in sorted(imported_when_imported(ast.parse(path.read_text(encoding="utf-8"))) & HEAVY)
        if not where.startswith(LEAVES_OF_HEAVY.get(library, ())) or path.name == "__init__.py"
    ]
    assert not wrong, "every light path would pay for these:\n" + "\n".join(wrong)


def test_the_rule_tells_what_is_imported_at_once_from_what_is_not() -> None:
    tree = ast.parse("import cv2\ndef f():\n    import keras\n")
    assert imported_when_imported(tree) == {"cv2"}
