"""The process that `office` starts: LibreOffice as a library, one document after the other.

It takes an Order as JSON, then lines of JSON from stdin, [document, pdf], two paths; it answers
each with a line of JSON: first what LibreOffice says of its version, then for each document null,
or what was wrong. LibreOffice is called through LibreOfficeKit, its interface in C: two tables of
functions whose entries keep their places (LibreOfficeKit/LibreOfficeKit.h).

Nothing of it outlives the process that started it. `life` is the reading end of a pipe whose other
end only that one holds, and a thread of ours waits there, whatever LibreOffice hangs in: when the
other end is closed, by whatever end that process came to, this one removes its folder and goes.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from renderers.documents.office.cell import shut_in

# Where LibreOfficeKit may be: in a library of its own, or in one with nearly all others.
LIBRARIES = ("libsofficeapp.so", "libmergedlo.so")
# Places in the tables of functions of the kit and of a document.
_GET_ERROR, _LOAD, _GET_VERSION = 3, 4, 10
_DESTROY, _SAVE_AS = 1, 2
_SWEEPS, _SWEEP_EVERY_S = 50, 0.02
_ADDRESS, _TEXT = ctypes.c_void_p, ctypes.c_char_p
# Figures, tables and their cells are then marked in the PDF.
_SAVING = {"UseTaggedPDF": {"type": "boolean", "value": "true"}}


def main() -> None:
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory_bytes"],) * 2)
    shut_in([Path(path) for path in order["readable"]], folder)
    life = threading.Thread(target=_wait_for_end, args=(order["life"], folder), daemon=True)
    life.start()
    # LibreOffice may write to stdout too.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    office = _Office(Path(order["program"]), folder / "profile")
    print(json.dumps(office.version()), file=answers, flush=True)
    for line in sys.stdin:
        document, pdf = json.loads(line)
        print(json.dumps(office.convert(document, pdf)), file=answers, flush=True)
    life.join()


def _wait_for_end(life: int, folder: Path) -> None:
    os.read(life, 1)
    for _ in range(_SWEEPS):
        # LibreOffice may still write there.
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(_SWEEP_EVERY_S)
    # Without the end of LibreOffice, which may hang.
    os._exit(0)


class _Office:
    """LibreOffice in this process."""

    def __init__(self, program: Path, profile: Path) -> None:
        name = next(name for name in LIBRARIES if (program / name).exists())
        start = ctypes.CDLL(str(program / name)).libreofficekit_hook_2
        start.restype, start.argtypes = _ADDRESS, [_TEXT, _TEXT]
        self._kit = start(os.fsencode(program), _url(profile))
        if not self._kit:
            sys.exit("LibreOffice gives no LibreOfficeKit")

    def version(self) -> str:
        told = json.loads(_function(self._kit, _GET_VERSION, _TEXT)(self._kit))
        keys = ("ProductName", "ProductVersion", "ProductExtension", "BuildId")
        name, version, extension, build = (str(told.get(key, "")) for key in keys)
        return f"{name} {version}{extension} {build}".strip()

    def convert(self, document: str, pdf: str) -> str | None:
        """None, or what was wrong."""
        load = _function(self._kit, _LOAD, _ADDRESS, _TEXT, _TEXT)
        loaded = load(self._kit, _url(Path(document)), b"Batch=true")
        if not loaded:
            return self._error()
        save = _function(loaded, _SAVE_AS, ctypes.c_int, _TEXT, _TEXT, _TEXT)
        saved = save(loaded, _url(Path(pdf)), b"pdf", json.dumps(_SAVING).encode())
        why = None if saved else self._error()
        _function(loaded, _DESTROY, None)(loaded)
        return why

    def _error(self) -> str:
        said: bytes | None = _function(self._kit, _GET_ERROR, _TEXT)(self._kit)
        return (said or b"LibreOffice does not say why").decode("utf-8", "replace")


def _function(owner: int, place: int, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Objects begin with the address of the table of their functions, which take them first."""
    table = ctypes.cast(owner, ctypes.POINTER(ctypes.POINTER(_ADDRESS))).contents
    address = table[place]
    assert address is not None
    return ctypes.CFUNCTYPE(result, _ADDRESS, *arguments)(address)


def _url(path: Path) -> bytes:
    return path.as_uri().encode()


if __name__ == "__main__":
    main()
