"""Bring files out of Debian packages into a cache folder, without root and without installing.

`apt-get` runs on a private state folder, so it neither needs nor changes the system's package
lists; `dpkg-deb` unpacks into the cache. Each package carries its licence file along
(`usr/share/doc/<package>/copyright`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


class PackagesUnavailable(RuntimeError):
    """The packages cannot be had here; the message says why and what to do."""


def cache_dir() -> Path:
    """Where fetched packages live: `$XDG_CACHE_HOME/vae-corpus`, by default under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "vae-corpus"


def fetch(packages: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Unpack `packages` below `cache` and return their folders by name.

    A package that is already there is not fetched again, so a second call needs no network.
    PackagesUnavailable when apt is missing or does not know a package.
    """
    root = (cache or cache_dir()) / "debian"
    missing = [name for name in packages if not (root / name).is_dir()]
    if missing:
        _fetch(missing, root)
    return {name: root / name for name in packages}


def _fetch(packages: list[str], root: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PackagesUnavailable(
                f"{tool} is not installed: Debian packages need a Debian or Ubuntu system"
            )
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as work_name:
        work = Path(work_name)
        options = _private_apt(work)
        _call(["apt-get", *options, "-qq", "update"], work)
        _call(["apt-get", *options, "-qq", "download", *packages], work)
        for name in packages:
            (archive,) = work.glob(f"{name}_*.deb")
            unpacked = work / "unpacked" / name
            unpacked.mkdir(parents=True)
            _call(["dpkg-deb", "-x", str(archive), str(unpacked)], work)
            # The rename is the commit: a folder that exists is whole. A concurrent fetch may
            # have won the race; its folder holds the same files.
            if not (root / name).is_dir():
                unpacked.rename(root / name)


def _private_apt(work: Path) -> list[str]:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    return [
        f"-oDir::State={work / 'state'}",
        "-oDir::State::status=/var/lib/dpkg/status",
        f"-oDir::Cache={work / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise PackagesUnavailable(
            f"`{command[0]} {command[-1]}` failed: {said[-1] if said else 'no message'}"
        )
