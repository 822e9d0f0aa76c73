"""Benchmarks run by the command that they name, without an environment of their own."""

from __future__ import annotations

import re
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_a_script_that_imports_what_is_not_installed_says_where_it_lies() -> None:
    # Only the folder of a script is on its path, and `benchmarks` and `tests` are no packages.
    scripts = [p for p in BENCHMARKS.glob("*.py") if 'if __name__ == "__main__":' in p.read_text()]
    lost = []
    for path in scripts:
        before, *_ = re.split(r"^from (?:benchmarks|tests)[. ]", path.read_text(), flags=re.M)
        if before != path.read_text() and "sys.path" not in before:
            lost.append(path.name)
    assert len(scripts) > 40 and lost == []
