"""Draw docs/architecture.svg: the packages, their rooms, and who imports whom.

    python docs/architecture/draw.py

Read off the imports of the code, so it cannot be out of date: a test draws it again.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# From the ground up; a package may import those of lower floors.
FLOORS = (("vae_corpus",), ("fonts", "filters"), ("renderers",), ("pipelines", "vae_training"))
ABOUT = {
    "vae_corpus": "words, seeds, tables, storage, pictures: imports nothing of ours",
    "fonts": "which faces write what",
    "filters": "pixels in, scores out",
    "renderers": "text onto pictures",
    "pipelines": "images to shards, on Ray",
    "vae_training": "shards to autoencoders",
}
_WIDTH, _MARGIN, _LINE, _GAP = 1080, 24, 19, 70
_ROOM_WIDTH = 150


def packages() -> list[str]:
    return [name for floor in FLOORS for name in floor]


def imports() -> dict[tuple[str, str], int]:
    """How many files of one package import another: `{(importer, imported): files}`."""
    found: dict[tuple[str, str], int] = {}
    for package in packages():
        for path in sorted((ROOT / package).rglob("*.py")):
            tops = set()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    tops |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    tops.add(node.module.split(".")[0])
            for top in (tops & set(packages())) - {package}:
                found[package, top] = found.get((package, top), 0) + 1
    return found


def rooms(package: str) -> list[str]:
    """Its sub-packages, with a slash, then its modules."""
    folder = ROOT / package
    inner = sorted(f"{path.parent.name}/" for path in folder.glob("*/__init__.py"))
    return inner + sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("__"))


def draw() -> str:
    """The picture as SVG; the number beside an arrow counts the files that import."""
    boxes: dict[str, tuple[float, float, float, float]] = {}
    parts: list[str] = []
    y = float(_MARGIN)
    for floor in reversed(FLOORS):
        width = (_WIDTH - 2 * _MARGIN - 40 * (len(floor) - 1)) / len(floor)
        columns = max(1, int((width - 24) // _ROOM_WIDTH))
        lines = max(-(-len(rooms(package)) // columns) for package in floor)
        height = 62 + lines * _LINE
        for number, package in enumerate(floor):
            x = _MARGIN + number * (width + 40)
            boxes[package] = (x, y, width, height)
            parts.append(_box(package, x, y, width, height, columns))
        y += height + _GAP
    arrows = [_arrow(boxes, *pair, count) for pair, count in sorted(imports().items())]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y - _GAP + _MARGIN:.0f}"'
        ' font-family="system-ui, sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
    )
    # Behind the boxes, so that no name is crossed out.
    return "\n".join([head, *arrows, *parts, "</svg>"]) + "\n"


def _box(package: str, x: float, y: float, width: float, height: float, columns: int) -> str:
    said = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="8"'
        ' fill="#f5f7fa" stroke="#9ab"/>',
        f'<text x="{x + 14:.0f}" y="{y + 24:.0f}" font-size="16" font-weight="600">'
        f"{escape(package)}</text>",
        f'<text x="{x + 14:.0f}" y="{y + 42:.0f}" font-size="12" fill="#567">'
        f"{escape(ABOUT[package])}</text>",
    ]
    for number, room in enumerate(rooms(package)):
        left = x + 14 + number % columns * _ROOM_WIDTH
        base = y + 62 + number // columns * _LINE
        weight = ' font-weight="600"' if room.endswith("/") else ""
        said.append(
            f'<text x="{left:.0f}" y="{base:.0f}" font-size="12.5" fill="#234"{weight}>'
            f"{escape(room)}</text>"
        )
    return "\n".join(said)


def _arrow(
    boxes: dict[str, tuple[float, float, float, float]], importer: str, imported: str, count: int
) -> str:
    x0, y0, width0, height0 = boxes[importer]
    x1, y1, width1, _ = boxes[imported]
    names = packages()
    # Arrows leave and arrive side by side, in the order of the packages at their other ends.
    start = x0 + width0 * (names.index(imported) + 1) / (len(names) + 1)
    end = x1 + width1 * (names.index(importer) + 1) / (len(names) + 1)
    bottom, top = y0 + height0, y1 - 2
    bend = (bottom + top) / 2
    return (
        f'<path d="M{start:.0f} {bottom:.0f} C{start:.0f} {bend:.0f} {end:.0f} {bend:.0f}'
        f' {end:.0f} {top:.0f}" fill="none" stroke="#667" stroke-opacity=".75"'
        ' marker-end="url(#tip)"/>'
        f'<text x="{start + 5:.0f}" y="{bottom + 14:.0f}" font-size="11" fill="#667">{count}</text>'
    )


def main() -> int:
    path = ROOT / "docs" / "architecture.svg"
    path.write_text(draw(), encoding="utf-8")
    print(f"written to {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
