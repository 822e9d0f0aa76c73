"""PDF files through pdfium as anyone would call it, in a process that can be ended.

`python plain_pdfium.py FILE` writes a line of JSON for each page: slug, seconds and text.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from hostile_set.verdict import Page

_MEMORY_BYTES = 4 << 30
_PAGES = 3
_MAX_SIDE_PX = 20_000
_SCALE = 1.2


def render(path: Path, timeout_s: float) -> list[Page]:
    """What becomes of the first pages; the last of them may be what ended the process."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "hostile_set.plain_pdfium", str(path)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
    )
    try:
        said, _ = child.communicate(timeout=timeout_s)
        ended = None if child.returncode == 0 else "kills_worker"
    except subprocess.TimeoutExpired:
        child.kill()
        said, _ = child.communicate()
        ended = "hangs_worker"
    pages = [Page(*json.loads(line)) for line in said.splitlines()]
    if ended:
        pages.append(Page(ended, time.monotonic() - begun, f"code {child.returncode}"))
    return pages


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pypdfium2

    begun = time.monotonic()
    data = Path(sys.argv[1]).read_bytes()
    if not data:
        _tell("empty", begun, "")
        return
    try:
        document = pypdfium2.PdfDocument(data)
        document.init_forms()
        count = len(document)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        _tell("locked_document" if locked else "broken_document", begun, str(error))
        return
    if not count:
        _tell("broken_document", begun, "no pages")
    for number in range(min(count, _PAGES)):
        begun = time.monotonic()
        try:
            page = document[number]
            if max(page.get_size()) * _SCALE > _MAX_SIDE_PX:
                _tell("side_too_long", begun, "")
                continue
            page.render(scale=_SCALE).to_numpy()
            _tell("rendered", begun, page.get_textpage().get_text_range())
        # A page of no size is a ValueError.
        except (pypdfium2.PdfiumError, ValueError) as error:
            _tell("broken_document", begun, str(error))


def _tell(slug: str, begun: float, text: str) -> None:
    print(json.dumps([slug, round(time.monotonic() - begun, 3), text[:1000]]), flush=True)


if __name__ == "__main__":
    main()
