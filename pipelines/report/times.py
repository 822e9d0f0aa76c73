"""`report/run.js`: what each stage took when it last had work, for the page to show.

No part of the corpus: two builds of the same corpus differ in it, so it stands beside the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_HEAD, _TAIL = "showRun(", ");\n"


def run_script(
    before: bytes | None,
    *,
    command: str,
    seconds: Mapping[str, float],
    worked: set[str],
    done: Mapping[str, int],
    workers: str,
) -> bytes:
    """A script that gives the page the command and a row per stage.

    Stages that found nothing to do keep what `before`, the script of an earlier run, says of them.
    """
    rows = _read(before)
    for stage, value in seconds.items():
        if stage in worked:
            rows[stage] = {
                "stage": stage,
                "seconds": round(value, 1),
                "done": done.get(stage, 0),
                "workers": workers if stage in done else "",
            }
    ordered = [rows[stage] for stage in seconds if stage in rows]
    return (_HEAD + json.dumps({"command": command, "stages": ordered}) + _TAIL).encode()


def _read(script: bytes | None) -> dict[str, dict[str, Any]]:
    text = (script or b"").decode(errors="replace")
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        return {}
    try:
        return {row["stage"]: row for row in json.loads(text[len(_HEAD) : -len(_TAIL)])["stages"]}
    except (ValueError, LookupError, TypeError):
        return {}
