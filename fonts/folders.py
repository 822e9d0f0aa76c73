"""Where fonts lie on this machine: the system's folders, the user's, and the fetched packages."""

from __future__ import annotations

import os
from pathlib import Path

from fonts.packages import PACKAGES
from vae_corpus.debian import cache_dir

_SYSTEM = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
)


def system_folders() -> list[Path]:
    """The folders of the operating system that exist here."""
    return [folder for folder in _SYSTEM if folder.is_dir()]


def user_folders() -> list[Path]:
    """The folders in a user's home that exist here, as fontconfig and macOS know them."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    candidates = (data / "fonts", home / ".fonts", home / "Library" / "Fonts")
    return [folder for folder in candidates if folder.is_dir()]


def fetched_folders() -> list[Path]:
    """The packages of the catalogue that were fetched before."""
    fetched = (cache_dir() / "debian" / package.name for package in PACKAGES)
    return [folder for folder in fetched if folder.is_dir()]


def usual_folders() -> list[Path]:
    """All of them."""
    return [*system_folders(), *user_folders(), *fetched_folders()]
