"""Pages of one file without requests to anywhere: templates, assets, and data inside a script."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jinja2


def embedded(data: Any) -> str:
    """JSON that may stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def asset(package: str, name: str) -> str:
    """The text of a file in the folder `assets` of a package."""
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def templates(package: str) -> jinja2.Environment:
    """The folder `templates` of a package; values are escaped, one that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
