from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from renderers import synth_text
from renderers.batch import BACKGROUNDS, BLOCK, Job, _numbers, pages
from renderers.page.output import page_writer
from tests.pictures import scene
from tests.tiny_font import write_font
from vae_corpus import settings

PROSE = "The rain had stopped by noon, and the roofs of the old mill were steaming.\n\n"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("fonts", "photos"):
        (tmp_path / name).mkdir()
    write_font(tmp_path / "fonts" / "a.ttf")
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), scene(300, 280))
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (tmp_path / "text.txt").write_text(PROSE * 3, encoding="utf-8")
    return [
        *("--lang", "en", "--canvas", "256", "--count", "2", "--seed", "7"),
        *("--fonts", str(tmp_path / "fonts")),
        *("--backgrounds", str(tmp_path / "photos"), "--texts", str(tmp_path / "text.txt")),
    ]


def test_pages_labels_preview_and_replay(inputs: list[str], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert synth_text.main([*inputs, "--out", str(tmp_path / folder), "--preview"]) == 0
    names = ["en-000000.json", "en-000000.png", "en-000001.json", "en-000001.png", "preview.png"]
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    label = json.loads((tmp_path / "one" / "en-000001.json").read_text(encoding="utf-8"))
    assert {"lines", "layout", "language", "recipe", "seed"} <= set(label)
    again = ["--replay", str(tmp_path / "one" / "en-000001.json"), "--out", str(tmp_path / "again")]
    assert synth_text.main([*again, "--fonts", str(tmp_path / "fonts")]) == 0
    for name in names[2:4]:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_pages_with_everything_on_replay_too(inputs: list[str], tmp_path: Path) -> None:
    extras = ["--tilt_degrees", "4", "--perspective", "0.1", "--shadow", "1", "--outline", "1"]
    one, again = tmp_path / "one", tmp_path / "again"
    assert synth_text.main([*inputs, *extras, "--camera", "1", "--out", str(one), "--preview"]) == 0
    label = json.loads((one / "en-000000.json").read_text(encoding="utf-8"))
    assert label["lines"] and all(len(line["quad"]) == 8 for line in label["lines"])
    replay = ["--replay", str(one / "en-000000.json"), "--fonts", str(tmp_path / "fonts")]
    assert synth_text.main([*replay, "--out", str(again)]) == 0
    for name in ("en-000000.json", "en-000000.png"):
        assert (one / name).read_bytes() == (again / name).read_bytes()


def test_a_tar_holds_what_a_folder_holds(inputs: list[str], tmp_path: Path) -> None:
    assert synth_text.main([*inputs, "--out", str(tmp_path / "pages")]) == 0
    out = tmp_path / "new" / "pages.tar"
    assert synth_text.main([*inputs, "--out", str(out), "--preview"]) == 0
    with tarfile.open(out) as tar:
        members = {m.name: (m, tar.extractfile(m)) for m in tar.getmembers()}
    assert list(members) == ["en-000000.png", "en-000000.json", "en-000001.png", "en-000001.json"]
    for path in (tmp_path / "pages").iterdir():
        data = path.read_bytes()
        assert data in out.read_bytes()
        assert members[path.name][0].size == len(data)
    assert {(m.mtime, m.uid, m.gid, m.mode) for m, _ in members.values()} == {(0, 0, 0, 0o644)}
    assert sorted(p.name for p in out.parent.iterdir()) == ["pages.preview.png", "pages.tar"]


def test_a_tar_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), page_writer(tmp_path / "a.tar", "png") as write:
        write("one", b"picture", b"{}")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_pages_are_made_in_order_and_none_is_lost() -> None:
    for count in (1, 7, 8, 65, 130):
        tasks = range(count // BLOCK * BACKGROUNDS + min(count % BLOCK, BACKGROUNDS))
        made = [number for task in tasks for number in _numbers(task, count)]
        assert sorted(made) == list(range(count))


def test_backgrounds_may_come_from_a_function(inputs: list[str], tmp_path: Path) -> None:
    asked = []

    def draw(
        rng: np.random.Generator, width: int, height: int
    ) -> tuple[str, npt.NDArray[np.uint8]]:
        asked.append((width, height))
        return f"noise-{len(asked)}", rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    job = Job(
        language="en",
        bands=("8-10",),
        layouts=("paragraph",),
        canvas=200,
        count=3,
        seed=1,
        ext="png",
        backgrounds=draw,
        fonts=(tmp_path / "fonts",),
        texts=(("en", (tmp_path / "text.txt",)),),
    )
    made = list(pages(job, workers=1, refused={}))
    assert [page.number for page in made] == [0, 1, 2]
    assert asked == [(200, 200)] * 3
    assert [json.loads(page.label)["background"] for page in made] == [
        f"noise-{number}" for number in (1, 2, 3)
    ]


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    inputs: list[str], tmp_path: Path
) -> None:
    given = [*inputs, "--count", "10", "--format", "jpg"]
    for workers in ("1", "2"):
        out = str(tmp_path / f"{workers}.tar")
        assert synth_text.main([*given, "--workers", workers, "--out", out]) == 0
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


@pytest.mark.slow
def test_faults_in_a_worker_are_told_in_words(
    inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*inputs, "--workers", "2", "--canvas", "512", "--out", str(tmp_path / "a.tar")]
    assert synth_text.main(given) == 1
    assert "none of 2 pictures is 512x512 px or larger" in capsys.readouterr().err
    assert not (tmp_path / "a.tar").exists()


@pytest.mark.parametrize("ext", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(ext: str) -> None:
    from renderers.page.output import encode

    rgb = scene(64, 48)
    back = cv2.imdecode(np.frombuffer(encode(rgb, ext), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert np.array_equal(back[:, :, ::-1], rgb)


def test_faults_are_told_in_words(
    inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert synth_text.main([*inputs, *out, "--canvas", "512"]) == 1
    assert "none of 2 pictures is 512x512 px or larger" in capsys.readouterr().err
    assert settings.run(synth_text.main, [*inputs, *out, "--size", "20-5"]) == 2
    assert "LOW-HIGH" in capsys.readouterr().err
    assert settings.run(synth_text.main, [*inputs, *out, "--tilt_degrees", "90"]) == 2
    assert "tilt_degrees: Input should be less than or equal to 45" in capsys.readouterr().err
    (tmp_path / "text.txt").write_text("", encoding="utf-8")
    assert synth_text.main([*inputs, *out]) == 1
    assert "no en prose" in capsys.readouterr().err
    (tmp_path / "fonts" / "a.ttf").write_bytes(b"no font")
    (tmp_path / "text.txt").write_text(PROSE, encoding="utf-8")
    assert synth_text.main([*inputs, *out]) == 1
    assert "at least one face" in capsys.readouterr().err
