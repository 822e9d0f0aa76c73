"""PaddleOCR behind its pipe. Two tests need its environment: set VAE_CORPUS_PADDLE_PYTHON.

Where that is set and does not work they fail; where it is not set they are skipped.
"""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont

from filters.ocr import export_models, paddle_server
from filters.ocr.engine import Line, OcrUnavailable, Rgb
from filters.ocr.paddle import PYTHON_VARIABLE, PaddleFailed, PaddleOcrEngine
from filters.ocr.rapid import RapidOcrEngine
from filters.ocr.windowed import OcrOptions
from tests.pictures import scene
from vae_corpus.demo import DemoInputs

ROOT = Path(__file__).parents[2]
with_paddle = pytest.mark.skipif(
    not os.environ.get(PYTHON_VARIABLE),
    reason=f"set {PYTHON_VARIABLE}; filters/ocr/paddle-requirements.txt says how",
)
# Speaks the protocol in its own words, so that both ends are held to what is written down.
FAKE = """
import json, os, struct, sys, time
def send(header, extra=b""):
    data = json.dumps(header).encode()
    sys.stdout.buffer.write(struct.pack(">II", len(data), len(extra)) + data + extra)
    sys.stdout.buffer.flush()
def receive():
    start = sys.stdin.buffer.read(8)
    if not start:
        open(__file__ + ".ended", "w").close()
        sys.exit()
    header, pixels = struct.unpack(">II", start)
    return json.loads(sys.stdin.buffer.read(header)), sys.stdin.buffer.read(pixels)
"""
READY = "send({'packages': {'fake': '1.0'}})\n"
# What the fake says of windows: one map for all pixels.
FLAT = """
header, pixels = receive()
send({}, struct.pack("f", 1.0) * (header["height"] * header["width"]))
"""


def fake(folder: Path, body: str, **options: Any) -> PaddleOcrEngine:
    """An engine whose helper runs `body`."""
    for task in ("det", "rec"):
        (folder / f"models/fake_{task}").mkdir(parents=True, exist_ok=True)
        for name in ("inference.onnx", "inference.yml"):
            (folder / f"models/fake_{task}" / name).touch()
    script = folder / "server.py"
    script.write_text(FAKE + body, encoding="utf-8")
    return PaddleOcrEngine(folder / "models", python=sys.executable, server=script, **options)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end, f"no {path} after 10 s"
        time.sleep(0.02)


ECHO = """
while True:
    header, pixels = receive()
    height, width = header["height"], header["width"]
    text = f"{height}x{width} {pixels[:3].hex()} {len(pixels)}"
    if header["op"] == "read_line":
        send({"text": text, "confidence": 0.5})
    elif header["op"] == "map":
        send({}, struct.pack("f", pixels[0]) * (height * width))
    else:
        tone = struct.unpack("f", pixels[:4])[0]
        assert pixels == struct.pack("f", tone) * (height * width)
        send({"polygons": [[[0, 0], [width, 0], [width, height], [0, height]]]})
"""


def test_pixels_cross_the_pipe_as_they_are(tmp_path: Path) -> None:
    engine = fake(tmp_path, READY + ECHO)
    rgb = np.zeros((40, 50, 3), np.uint8)
    rgb[:] = (1, 2, 3)
    corners = [[0, 0], [50, 0], [50, 40], [0, 40]]
    assert engine.detect(rgb).tolist() == [corners]
    assert engine.read_line(rgb) == (f"40x50 010203 {40 * 50 * 3}", 0.5)
    # Read at twice its size; corners are in px of the picture all the same.
    (line,) = engine.read(rgb)
    assert line.text == f"80x100 010203 {80 * 100 * 3}" and line.confidence == 0.5
    assert line.polygon.tolist() == corners
    engine.close()


def test_lines_come_in_reading_order(tmp_path: Path) -> None:
    tops = ((40, 50), (4, 0), (0, 48))
    boxes = [[[x, y], [x + 40, y], [x + 40, y + 20], [x, y + 20]] for y, x in tops]
    engine = fake(tmp_path, READY + FLAT + f"receive(); send({{'polygons': {boxes}}})")
    assert engine.detect(scene(128, 128))[:, 0].tolist() == [[0, 4], [48, 0], [50, 40]]
    engine.close()


def test_engine_id_names_versions_models_and_options(tmp_path: Path) -> None:
    engine = fake(tmp_path, READY + ECHO)
    assert engine.engine_id.startswith("fake 1.0; fake_det/inference.onnx sha256:")
    assert engine.engine_id.count("sha256:") == 4 and str(OcrOptions()) in engine.engine_id
    engine.close()


def test_the_helper_ends_when_it_is_closed(tmp_path: Path) -> None:
    engine = fake(tmp_path, READY + ECHO)
    engine.detect(scene(32, 32))
    engine.close()
    wait_for(tmp_path / "server.py.ended")


def test_the_helper_ends_with_its_parent(tmp_path: Path) -> None:
    fake(tmp_path, READY + ECHO)
    code = (
        "import os, signal, sys, numpy as np; from pathlib import Path\n"
        "from filters.ocr.paddle import PaddleOcrEngine\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "engine = PaddleOcrEngine(folder / 'models', python=sys.executable,"
        " server=folder / 'server.py')\n"
        "engine.detect(np.zeros((32, 32, 3), np.uint8))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    wait_for(tmp_path / "server.py.ended")


def test_a_crash_tells_its_last_words_and_the_next_call_starts_anew(tmp_path: Path) -> None:
    crash = """
header, pixels = receive()
if header["height"] == 64:
    print("out of paper", file=sys.stderr)
    sys.exit(3)
send({}, bytes(4 * header["height"] * header["width"]))
receive()
send({"polygons": []})
"""
    engine = fake(tmp_path, READY + crash)
    with pytest.raises(PaddleFailed, match="status 3(.|\n)*out of paper"):
        engine.detect(scene(64, 64))
    assert engine.detect(scene(32, 32)).shape == (0, 4, 2)
    engine.close()


def test_a_helper_that_was_killed_once_costs_nothing(tmp_path: Path) -> None:
    killed = f"""
if not os.path.exists({str(tmp_path / "once")!r}):
    receive()
    open({str(tmp_path / "once")!r}, "w").close()
    os.kill(os.getpid(), 9)
"""
    engine = fake(tmp_path, READY + killed + ECHO)
    assert len(engine.detect(scene(32, 32))) == 1
    engine.close()


def test_a_helper_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    engine = fake(tmp_path, READY + "time.sleep(60)", timeout_s=1.5)
    with pytest.raises(PaddleFailed, match="no answer within 1.5 s"):
        # More than a pipe holds: sending must not hang either.
        engine.detect(scene(512, 512))


def test_a_helper_that_talks_a_lot_is_heard(tmp_path: Path) -> None:
    engine = fake(tmp_path, "sys.stderr.write('x' * 80 + '\\n' * 200_000)\n" + READY + ECHO)
    assert len(engine.detect(scene(32, 32))) == 1
    engine.close()


def test_a_fault_of_one_picture_leaves_the_helper_alive(tmp_path: Path) -> None:
    engine = fake(tmp_path, READY + "receive(); send({'error': 'too blue'})" + ECHO)
    with pytest.raises(PaddleFailed, match="map of 32 x 32 px: too blue"):
        engine.detect(scene(32, 32))
    assert len(engine.detect(scene(32, 32))) == 1
    engine.close()


def test_what_is_missing_is_named_with_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(OcrUnavailable, match=f"{tmp_path}.*export_models --out {tmp_path}"):
        PaddleOcrEngine(tmp_path, python=sys.executable)
    models = fake(tmp_path, "").models["det"].parent
    with pytest.raises(OcrUnavailable, match=f"pip install(.|\n)*{PYTHON_VARIABLE}"):
        PaddleOcrEngine(models)
    with pytest.raises(OcrUnavailable, match="/no/python"):
        PaddleOcrEngine(models, python="/no/python")
    # This environment has no PaddleOCR.
    engine = PaddleOcrEngine(models, python=sys.executable)
    with pytest.raises(OcrUnavailable, match="(paddleocr|onnxruntime)(.|\n)*requirements.txt"):
        engine.read(scene(32, 32))


def test_the_server_gives_paddle_blue_first() -> None:
    reader = paddle_server.Reader.__new__(paddle_server.Reader)
    reader._array = np
    reader.map = lambda bgr: ({}, bgr.tobytes())  # type: ignore[method-assign]
    rgb = np.full((2, 3, 3), (1, 2, 3), np.uint8)
    header = {"op": "map", "height": 2, "width": 3}
    assert reader.answer(header, rgb.tobytes()) == ({}, bytes((3, 2, 1)) * 6)


def test_the_server_ends_at_half_a_message() -> None:
    pipe = io.BytesIO()
    paddle_server.send(pipe, {"op": "read"})
    data = pipe.getvalue()
    assert paddle_server.receive(io.BytesIO(data)) == ({"op": "read"}, b"")
    longer = data[:4] + (9).to_bytes(4, "big") + data[8:]
    assert paddle_server.receive(io.BytesIO(longer)) is None
    assert paddle_server.receive(io.BytesIO(b"")) is None


def test_the_server_refuses_the_network() -> None:
    code = (
        "import io, socket, sys; from filters.ocr import paddle_server as s\n"
        "def probe(*_):\n"
        "    try: socket.create_connection(('127.0.0.1', 9))\n"
        "    except OSError: pass\n"
        "    return object()\n"
        "s.Reader = probe; s._PACKAGES = ()\n"
        "sys.exit(s.serve(io.BytesIO(), sys.stdout.buffer, {'models': {}, 'options': {}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 1 and b"tried to reach the network" in done.stdout


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models")
    assert export_models.main(["--out", str(out)]) == 0
    return out


def test_exported_folders_hold_what_paddle_reads(models: Path) -> None:
    wheel = RapidOcrEngine().models
    for task, source in zip(("det", "rec"), wheel, strict=True):
        (folder,) = models.glob(f"*_{task}")
        assert sorted(p.name for p in folder.iterdir()) == ["inference.onnx", "inference.yml"]
        assert (folder / "inference.onnx").read_bytes() == source.read_bytes()
        text = (folder / "inference.yml").read_text(encoding="utf-8")
        settings = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        assert settings["Global"]["model_name"] == folder.name
        assert settings["PreProcess"]["transform_ops"][0]["DecodeImage"]["img_mode"] == "BGR"
    characters = settings["PostProcess"]["character_dict"]
    assert characters == export_models._characters(wheel[1])
    assert all(isinstance(c, str) and c for c in characters) and {"a", "0", "的"} <= {*characters}


def test_export_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("filters.ocr.rapid.importlib.util.find_spec", lambda name: None)
    assert export_models.main(["--out", str(tmp_path)]) == 1
    assert "rapidocr is not installed: pip install" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        export_models.main(["--help"])
    out = capsys.readouterr().out
    assert "--out models/paddle" in out and PYTHON_VARIABLE in out


@pytest.fixture(scope="module")
def paddle(models: Path) -> Iterator[PaddleOcrEngine]:
    engine = PaddleOcrEngine(models)
    yield engine
    engine.close()


def alike(a: Line, b: Line) -> bool:
    """The same text, letter by letter, in the same place."""
    return a.text == b.text and bool(np.abs(a.polygon - b.polygon).max() <= 2)


def tile(text: str, font: ImageFont.FreeTypeFont) -> Rgb:
    """256 x 256 px of prose: at twice its size it is one window of both detectors."""
    image = Image.new("RGB", (256, 256), "white")
    draw, line, y = ImageDraw.Draw(image), "", 8
    for character in " ".join(text.split()):
        if font.getlength(line + character) > 240:
            draw.text((8, y), line, "black", font)
            line, y = "", y + round(1.6 * font.size)
        if y > 246 - font.size:
            break
        line += character
    return np.asarray(image)


def share(same: list[bool], least: float) -> None:
    assert len(same) > 40
    assert sum(same) >= least * len(same), f"only {sum(same)} of {len(same)} lines are the same"


@with_paddle
def test_both_engines_find_and_read_the_same(paddle: PaddleOcrEngine, demo: DemoInputs) -> None:
    rapid, same = RapidOcrEngine(), []
    for language, name in (("en", "DejaVuSans.ttf"), ("zh", "wqy-microhei.ttc")):
        (path,) = (p for folder in demo.fonts for p in folder.rglob(name))
        prose = gzip.decompress(demo.texts[language][0].read_bytes()).decode()
        for number, size_px in enumerate((10, 13, 20)):
            font = ImageFont.truetype(path, size_px)
            rgb = tile(prose[8000 + 2000 * number :][:900], font)
            pairs = zip_longest(rapid.read(rgb), paddle.read(rgb))
            same += [a is not None and b is not None and alike(a, b) for a, b in pairs]
    share(same, 0.95)


@with_paddle
def test_both_engines_find_and_read_the_same_in_several_windows(
    paddle: PaddleOcrEngine, demo: DemoInputs
) -> None:
    # The middle of a page. At twice its size it has three windows in a row and two below each
    # other: what lies at their borders is the same for both.
    rapid, same = RapidOcrEngine(), []
    for name in ("debmake-doc.en.pdf", "debian-reference.zh-cn.pdf"):
        (path,) = (p for p in demo.pdfs if p.name == name)
        with pypdfium2.PdfDocument(path) as document:
            page = document[40].render(scale=1.25, rev_byteorder=True).to_numpy()[:, :, :3]
        rgb = np.ascontiguousarray(page[200:700])
        pairs = zip_longest(rapid.read(rgb), paddle.read(rgb))
        same += [a is not None and b is not None and alike(a, b) for a, b in pairs]
    share(same, 0.95)


@with_paddle
def test_paddle_depends_on_the_picture_alone(paddle: PaddleOcrEngine) -> None:
    rgb = np.full((60, 300, 3), 255, np.uint8)
    cv2.putText(rgb, "small letters", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)
    before = paddle.read(rgb)
    paddle.read(scene(100, 400))
    after = paddle.read(rgb)
    assert [line.text for line in before] == ["small letters"] == [line.text for line in after]
    assert before[0].confidence == after[0].confidence
    for size in ((1, 1), (5, 300), (33, 31)):
        assert paddle.detect(scene(*size)).shape[1:] == (4, 2)
        assert isinstance(paddle.read(scene(*size)), list)
