"""Pages that hang, swell or crash cost themselves alone, and no process outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from renderers.documents import process
from renderers.documents.opening import FileRef, Tools
from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import DocumentRecipe, PageRecipe
from tests.pipelines import pdfs
from vae_corpus.pictures.decode import Limits

ROOT = Path(__file__).parents[3]
# Where it is of no interest how it starts: a start takes longer than a page.
forked = pytest.mark.usefixtures("forked_children")
LOOK = PageRecipe(glyph_px={"en": 12.0, "zh": 12.0}, band={})


def ref(path: Path) -> FileRef:
    return FileRef(uri=str(path), recipe=DocumentRecipe(viewport_px=768, dark=False, face=0.0))


@contextmanager
def renderings(tools: Tools | None = None, **bounds: float) -> Iterator[Renderings]:
    drawing = Renderings(tools or Tools(), Bounds(**bounds))  # type: ignore[arg-type]
    try:
        yield drawing
    finally:
        drawing.close()


def write(folder: Path, name: str, text: str = "a line of text") -> Path:
    path = folder / f"{name}.pdf"
    path.write_bytes(pdfs.page(pdfs.text([text])))
    return path


def bomb(folder: Path) -> Path:
    """A page of forms of which each draws the next one many times."""
    forms = [
        pdfs.stream(
            f"/X{n + 1} Do " * 40 if n < 6 else "0 0 1 1 re f",
            "/Type/XObject/Subtype/Form/BBox[0 0 400 300]"
            + (f"/Resources<</XObject<</X{n + 1} {11 + n} 0 R>>>>" if n < 6 else ""),
        )
        for n in range(7)
    ]
    data = pdfs.page("/X0 Do", more=forms).replace(b"<</Font", b"<</XObject<</X0 10 0 R>>/Font")
    (folder / "bomb.pdf").write_bytes(data)
    return folder / "bomb.pdf"


def says(drawing: Renderings, path: Path) -> str:
    return drawing.render(ref(path), 0, LOOK, Limits()).characters.text.strip()


def slug(drawing: Renderings, path: Path) -> str:
    with pytest.raises(DocumentFault) as caught:
        drawing.render(ref(path), 0, LOOK, Limits())
    return caught.value.slug


def child(drawing: Renderings) -> int:
    assert drawing._child is not None
    return drawing._child.pid


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    for _ in range(100):
        if not is_alive(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_pages_are_drawn_as_in_this_process(tmp_path: Path) -> None:
    from renderers.documents.pdf import open_pdf
    from renderers.documents.pdf.fonts import pdf_fonts

    path = write(tmp_path, "a")
    document = open_pdf(str(path), path.stat().st_size, pdf_fonts(()))
    here = document.render(0, LOOK, Limits())
    document.close()
    with renderings() as drawing:
        assert drawing.pages(ref(path)) == 1
        there = drawing.render(ref(path), 0, LOOK, Limits())
    assert (there.rgb == here.rgb).all() and there.characters.text == here.characters.text
    assert (there.facts, there.doubt) == (here.facts, here.doubt)


def test_a_page_that_hangs_is_given_up_and_the_next_is_drawn(tmp_path: Path) -> None:
    good = write(tmp_path, "good")
    with renderings(page_timeout_s=1.0) as drawing:
        assert says(drawing, good) == "a line of text"
        first = child(drawing)
        began = time.monotonic()
        assert slug(drawing, bomb(tmp_path)) == "page_timeout"
        assert time.monotonic() - began < 5
        assert not is_alive(first)
        assert says(drawing, good) == "a line of text"


@forked
def test_too_much_memory_is_told_and_the_next_is_drawn(tmp_path: Path) -> None:
    # A sheet of 14400 points at the largest scale has 40 million pixels.
    huge = tmp_path / "huge.pdf"
    huge.write_bytes(pdfs.page(pdfs.text(["a"], size=4), size=(14_400, 14_400)))
    good = write(tmp_path, "good")
    with renderings() as drawing:
        says(drawing, good)
        used = process._private_bytes(child(drawing))
    assert 0 < used < 1e9
    with renderings(memory_bytes=used + 60_000_000) as drawing:
        assert says(drawing, good) == "a line of text"
        assert slug(drawing, huge) == "too_much_memory"
        assert says(drawing, good) == "a line of text"


@forked
def test_a_page_that_kills_its_process_is_tried_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write(tmp_path, "good")
    with renderings() as drawing:
        answer, killed = drawing._answer, []

        def dying(request: tuple[object, ...], limit_s: float) -> object:
            if len(killed) < deaths:
                drawing._running()
                killed.append(child(drawing))
                os.kill(child(drawing), signal.SIGKILL)
            return answer(request, limit_s)

        monkeypatch.setattr(drawing, "_answer", dying)
        for deaths in (1, 3):
            if deaths == 1:
                assert says(drawing, good) == "a line of text"
            else:
                with pytest.raises(DocumentFault, match="SIGKILL, twice") as caught:
                    drawing.render(ref(good), 0, LOOK, Limits())
                assert caught.value.slug == "page_crashed"
        assert len(killed) == len(set(killed)) == 3
        assert says(drawing, good) == "a line of text"
        assert not any(map(is_alive, killed))


def test_all_that_a_process_started_ends_with_it() -> None:
    code = (
        "import subprocess, sys, time;"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(one.pid, flush=True); time.sleep(60)"
    )
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    grandchild = int(started.stdout.readline())
    started.stdout.close()
    assert process._family(started.pid) == [started.pid, grandchild]
    drawing = Renderings(Tools(), Bounds())
    drawing._child = started  # type: ignore[assignment]
    drawing.close()
    wait_until_gone(grandchild)
    assert not is_alive(started.pid)


_PARENT = """
import sys, time
from pathlib import Path
from renderers.documents.process import Bounds, Renderings
from tests.renderers.documents.test_process import ref
from renderers.documents.opening import Tools
drawing = Renderings(Tools(), Bounds())
drawing.pages(ref(Path(sys.argv[1])))
print(drawing._child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_when_whoever_asks_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(write(tmp_path, "a"))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    drawing = int(parent.stdout.readline())
    parent.stdout.close()
    assert is_alive(drawing)
    parent.send_signal(how)
    parent.wait()
    wait_until_gone(drawing)


@forked
def test_several_threads_are_answered_each_its_own(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{n}", f"page of thread {n}") for n in range(8)]
    with renderings() as drawing, ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda path: says(drawing, path), paths * 3))
    assert said == [f"page of thread {n}" for n in range(8)] * 3


@forked
def test_threads_do_not_lose_their_pages_when_the_process_dies(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{n}", f"page of thread {n}") for n in range(4)]
    with renderings() as drawing, ThreadPoolExecutor(4) as pool:
        killed = set()

        def kill() -> None:
            while len(killed) < 3:
                # A page is lost if its process dies twice.
                time.sleep(0.3)
                started = drawing._child
                if started is not None:
                    killed.add(started.pid)
                    os.kill(started.pid, signal.SIGKILL)

        killing = pool.submit(kill)
        while not killing.done():
            said = list(pool.map(lambda path: says(drawing, path), paths * 10))
            assert said == [f"page of thread {n}" for n in range(4)] * 10
        killing.result()


@forked
def test_a_thread_is_still_answered_when_a_neighbour_finds_the_process_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write(tmp_path, "good")
    with renderings() as drawing:
        says(drawing, good)
        os.kill(child(drawing), signal.SIGKILL)
        end, ended = drawing._end, threading.Event()

        def slowly() -> str:
            ended.set()
            time.sleep(0.3)
            return end()

        monkeypatch.setattr(drawing, "_end", slowly)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(says, drawing, good)
            ended.wait(10)
            second = pool.submit(says, drawing, good)
            assert first.result() == second.result() == "a line of text"


@forked
def test_what_is_missing_passes_through(tmp_path: Path) -> None:
    with renderings(Tools(fonts=("/nowhere",))) as drawing:
        for ask in (
            lambda: drawing.version("pdf"),
            lambda: drawing.pages(ref(write(tmp_path, "a"))),
            lambda: drawing.version("typeset"),
        ):
            with pytest.raises(RendererMissing, match="/nowhere"):
                ask()
        first = child(drawing)
        with pytest.raises(RendererMissing):
            drawing.version("pdf")
        assert child(drawing) == first, "nothing has crashed"


@forked
def test_what_is_wrong_with_a_file_passes_through(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (tmp_path / "a.xyz").write_bytes(b"whatever")
    with renderings() as drawing:
        assert slug(drawing, tmp_path / "broken.pdf") == "broken_document"
        assert slug(drawing, tmp_path / "a.xyz") == "unsupported_format"
        with pytest.raises(FileNotFoundError) as caught:
            drawing.pages(ref(tmp_path / "none.pdf"))
        assert caught.value.errno == 2
        with pytest.raises(DocumentFault):
            drawing.render(ref(write(tmp_path, "a")), 7, LOOK, Limits())
        first = child(drawing)
        assert says(drawing, write(tmp_path, "b")) == "a line of text"
        assert child(drawing) == first


def test_a_folder_with_a_module_of_our_names_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("renderers", "pickle", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with renderings() as drawing:
        assert says(drawing, write(tmp_path, "a")) == "a line of text"


@forked
def test_a_closed_one_can_be_asked_again(tmp_path: Path) -> None:
    path = write(tmp_path, "a")
    with renderings() as drawing:
        says(drawing, path)
        first = child(drawing)
        drawing.close()
        drawing.close()
        assert not is_alive(first) and says(drawing, path) == "a line of text"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    old, held, new = (tmp_path / f"{process._PREFIX}{name}" for name in ("old", "held", "new"))
    for folder in (old, held, new):
        folder.mkdir()
        (folder / "profile").write_text("of a browser")
    lock = process._locked(held / process._LOCK)
    for folder in (old, held):
        os.utime(folder, (0, 0))
    process._sweep(tmp_path)
    os.close(lock)
    assert not old.exists() and held.exists() and new.exists()
