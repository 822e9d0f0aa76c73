"""Slides, letters and sheets as PDF, through LibreOffice without a window.

LibreOffice runs as a library in a process of its own, which takes one file after the other: 70 to
160 ms a file, where `soffice --convert-to` takes 800. It draws with the fonts of named folders,
runs no macros, and reaches neither the network nor the files of others (`cell`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from renderers.documents.office.child import LIBRARIES
from renderers.documents.office.profile import write_fonts_conf, write_profile
from renderers.documents.office.safe_zip import OfficeLimits, made_safe
from renderers.documents.page import DocumentFault, RendererMissing

_INSTALL = "apt-get install libreoffice-impress-nogui libreoffice-writer-nogui"
# LibreOffice keeps a little of every file.
_FILES_PER_PROCESS = 200
_START_TIMEOUT_S = 120.0
_FONT_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc", ".pfb")


class Office:
    """LibreOffice, started when it is needed. For one thread; close it at the end.

    `fonts` are folders. RendererMissing where LibreOffice is not installed.
    """

    def __init__(self, fonts: tuple[str, ...], *, limits: OfficeLimits | None = None) -> None:
        self._program = _program()
        self._fonts = [Path(folder).resolve() for folder in fonts]
        _check_fonts(self._fonts)
        self._limits = limits or OfficeLimits()
        self._process: _Process | None = None

    def pdf(self, data: bytes, suffix: str, *, timeout_s: float) -> bytes:
        """The file as PDF: the same pages for the same bytes, fonts and `version()`.

        DocumentFault: `empty`, `document_too_large`, `zip_bomb`, `locked_document`,
        `broken_document` (also where LibreOffice crashes), `document_timeout`. The start of
        LibreOffice, some .7 s, does not count.
        """
        safe, suffix = made_safe(data, suffix, self._limits)
        if self._process is not None and self._process.files >= _FILES_PER_PROCESS:
            self.close()
        fresh = self._process is None
        try:
            return self._started().convert(safe, suffix, timeout_s)
        except _Died as died:
            self.close()
            if fresh:
                raise DocumentFault("broken_document", str(died)) from None
        except DocumentFault as fault:
            if fault.slug == "document_timeout":
                self.close()
            raise
        # What a file before left behind may have been at fault.
        return self.pdf(data, suffix, timeout_s=timeout_s)

    def version(self) -> str:
        """Name, version and build of the converter, as LibreOffice itself tells them."""
        return self._started().version

    def close(self) -> None:
        """End LibreOffice. It starts anew when it is asked for another file."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def __enter__(self) -> Office:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _started(self) -> _Process:
        if self._process is None:
            self._process = _Process(self._program, self._fonts, self._limits)
        return self._process


class _Died(Exception):
    """LibreOffice ended without an answer."""


class _Process:
    """A running LibreOffice, with its folder of settings, inputs and outputs."""

    def __init__(self, program: Path, fonts: list[Path], limits: OfficeLimits) -> None:
        self.files = 0
        self._folder = Path(tempfile.mkdtemp(prefix="vae-corpus-office-")).resolve()
        write_profile(self._folder / "profile")
        conf = self._folder / "fonts.conf"
        write_fonts_conf(conf, fonts, self._folder / "font-cache")
        life, self._life = os.pipe()
        order = {
            "program": str(program),
            "folder": str(self._folder),
            "readable": [str(path) for path in (program.parent, *fonts)],
            "life": life,
            "file_bytes": limits.pdf_bytes,
            "memory_bytes": limits.memory_bytes,
        }
        self._said = open(self._folder / "said", "w+b")  # noqa: SIM115
        self._child = subprocess.Popen(
            # Not from the folder in which we happen to be: it may shadow what we import.
            [sys.executable, "-P", "-m", "renderers.documents.office.child", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            pass_fds=(life,),
            start_new_session=True,
            env=_environment(self._folder, conf),
        )
        os.close(life)
        try:
            self.version = str(self._answer(_START_TIMEOUT_S))
        except (_Died, DocumentFault) as error:
            said = self._last_words()
            self.end()
            raise RuntimeError(f"LibreOffice in {program} does not start: {error}{said}") from None
        except BaseException:
            self.end()
            raise

    def convert(self, data: bytes, suffix: str, timeout_s: float) -> bytes:
        self.files += 1
        document, pdf = self._folder / f"document{suffix}", self._folder / "document.pdf"
        try:
            document.write_bytes(data)
            why = self._ask([str(document), str(pdf)], timeout_s)
            if why is not None or not pdf.exists():
                raise DocumentFault("broken_document", f"LibreOffice does not open it: {why}")
            return pdf.read_bytes()
        finally:
            document.unlink(missing_ok=True)
            pdf.unlink(missing_ok=True)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._said):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        os.close(self._life)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, paths: list[str], timeout_s: float) -> str | None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(paths).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise _Died(self._end_words()) from None
        return self._answer(timeout_s)

    def _answer(self, timeout_s: float) -> str | None:
        """The next line of the process. DocumentFault `document_timeout`, or _Died."""
        assert self._child.stdout is not None
        pipe, line = self._child.stdout.fileno(), b""
        until = time.monotonic() + timeout_s
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise DocumentFault("document_timeout", f"not done after {timeout_s:g} s")
            piece = os.read(pipe, 1 << 16)
            if not piece:
                raise _Died(self._end_words())
            line += piece
        answer: str | None = json.loads(line)
        return answer

    def _end_words(self) -> str:
        code = self._child.wait()
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"LibreOffice ended by {how}"

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return f"; it said: {lines[-1]}" if lines else ""


def _program() -> Path:
    """The folder of LibreOffice's libraries."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is not None:
        folder = Path(found).resolve().parent
        if any((folder / name).exists() for name in LIBRARIES):
            return folder
    raise RendererMissing(f"office files need LibreOffice: {_INSTALL}")


def _check_fonts(folders: list[Path]) -> None:
    """LibreOffice does not start without any font."""
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"no such folder of fonts: {folder}")
    paths = (path for folder in folders for path in folder.rglob("*"))
    if not any(path.suffix.lower() in _FONT_SUFFIXES for path in paths):
        raise ValueError(f"office files need fonts; none in {[str(folder) for folder in folders]}")


def _environment(folder: Path, fonts_conf: Path) -> dict[str, str]:
    """All that the process knows of its surroundings: nothing of a user or of the day's zone."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SAL_USE_VCLPLUGIN": "svp",
        "FONTCONFIG_FILE": str(fonts_conf),
    }
