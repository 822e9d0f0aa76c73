"""Who may import whom: the walls between the packages."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Who may import whom, besides itself. The ground floor stands on nothing of ours.
ALLOWED = {
    "vae_corpus": set[str](),
    "fonts": {"vae_corpus"},
    "filters": {"vae_corpus"},
    "renderers": {"vae_corpus", "fonts"},
    "pipelines": {"vae_corpus", "fonts", "filters", "renderers"},
    "vae_training": {"vae_corpus", "filters.ocr"},
}
PACKAGES = tuple(ALLOWED)
# What may need torch: to train an autoencoder, and to train a filter. To filter needs none.
TORCH = {"vae_training", "filters.training"}


def _modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    """Dotted names that a file imports; `from a import b` gives `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _is_below(name: str, parents: set[str]) -> bool:
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_module_keeps_to_its_walls(path: Path) -> None:
    relative = path.relative_to(ROOT)
    module = ".".join(relative.with_suffix("").parts)
    package = relative.parts[0]
    for name in _imports(path):
        top = name.split(".")[0]
        if top == "ray":
            assert module == "pipelines.engine", f"{module} imports ray"
        if top == "torch":
            assert _is_below(module, TORCH), f"{module} imports torch"
        if _is_below(name, {"filters.training"}):
            assert _is_below(module, {"filters.training"}), f"{module} imports {name}"
        if top in PACKAGES:
            assert _is_below(name, {package} | ALLOWED[package]), f"{module} imports {name}"


def test_no_file_shadows_a_top_level_package() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).iterdir():
            assert path.stem not in PACKAGES, f"{path} would shadow {path.stem} for its scripts"


def test_packaging_lists_every_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in PACKAGES:
        for init in (ROOT / package).rglob("__init__.py"):
            name = ".".join(init.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in text, f"pyproject.toml does not list {name}"


def test_the_picture_of_the_architecture_is_that_of_the_code() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "architecture" / "draw.py"))["draw"]()
    kept = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == kept, "draw it again: python docs/architecture/draw.py"
