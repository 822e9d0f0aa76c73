"""The files of `deploy/` as data, and the versions that they must agree with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(read(name)))


def pinned(package: str) -> str:
    """The version that constraints.txt pins."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==(\S+)$", text, re.MULTILINE)
    assert found, f"constraints.txt pins no {package}"
    return found[1]


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def ray_images(text: str) -> list[tuple[str, str]]:
    """(Ray version, Python version) of each image of Ray's that a file names."""
    found = re.findall(r"rayproject/ray:([\d.]+)-py(\d)(\d+)-(?:cpu|gpu|\$\{KIND\})", text)
    assert len(found) == text.count("rayproject/ray:"), "an image of Ray without version or Python"
    return [(ray, f"{major}.{minor}") for ray, major, minor in found]
