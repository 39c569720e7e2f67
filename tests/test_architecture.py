"""What the layers of pyproject.toml do not say: which files of a module are pure, and how things are called."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import flux

SOURCE = Path(flux.__file__).parent
PURE = sorted(path for path in SOURCE.glob("modules/*/*.py") if path.name not in ("service.py", "__init__.py"))
IMPURE = {
    *("asyncio", "os", "io", "pathlib", "shutil", "tempfile", "socket", "_socket", "select", "selectors", "ssl"),
    *("zmq", "uvloop", "subprocess", "multiprocessing", "threading", "concurrent", "signal", "sqlite3"),
    *("time", "random", "secrets", "uuid", "logging"),
}
"""What decides knows nothing of these."""
HARMLESS = {"os.strerror"}
"""A table, wherever it stands."""
DRAWERS = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
"""Names that say nothing about what is inside. `flux.util` is a name of today's package, and will be let in as such."""


def imports(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_in_a_module_only_service_touches_the_world(path: Path) -> None:
    assert {name for name in imports(path) if name.partition(".")[0] in IMPURE} <= HARMLESS


def test_each_module_has_a_service() -> None:
    packages = [path.parent for path in SOURCE.glob("modules/*/__init__.py")]
    assert [package.name for package in packages if not (package / "service.py").is_file()] == []


def test_nothing_is_called_what_says_nothing() -> None:
    assert [path for path in SOURCE.rglob("*.py") if DRAWERS & set(path.stem.split("_"))] == []
