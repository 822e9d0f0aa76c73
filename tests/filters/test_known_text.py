"""Text of pages whose characters are known: counted as it stands, and looked for in pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from filters.ocr.engine import Line, Polygons, Rgb
from filters.settings import ScoreSettings
from filters.text_density import SCORE, TextDensity, cascade, is_audited
from filters.text_density import line as text_line
from filters.text_density.known import beside, known_scores, places_to_look
from tests.characters import set_in_lines, words_of, wrapped
from tests.pictures import page
from vae_corpus.characters import Characters, KnownText
from vae_corpus.score_types import Look

HEIGHT, WIDTH = 512, 768


@dataclass
class Ruler:
    """An engine that finds every dark bar, and remembers how much it was shown."""

    engine_id: str = "ruler"
    shown: list[tuple[int, int]] = field(default_factory=list)

    def ready(self, *, to_read: bool = False) -> None:
        pass

    def detect(self, rgb: Rgb) -> Polygons:
        self.shown.append(rgb.shape[:2])
        dark = (rgb.max(axis=2) < 128).astype(np.uint8)
        contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(c) for c in contours]
        found = [[[x, y], [x + w, y], [x + w, y + h], [x, y + h]] for x, y, w, h in boxes]
        return np.array(found, np.float32).reshape(-1, 4, 2)

    def read(self, rgb: Rgb) -> list[Line]:
        return []


@pytest.fixture
def ruler(monkeypatch: pytest.MonkeyPatch) -> Ruler:
    """Every bar is a line of ten letters, five of them Han, with an em of 30 px."""

    def estimate(rgb: Rgb, polygons: Polygons) -> Any:
        return np.tile(np.array([[5.0, 5.0, 30.0, 1.0]], np.float32), (len(polygons), 1))

    monkeypatch.setattr(text_line, "estimate", estimate)
    # The screen lets all pass.
    monkeypatch.setattr(
        cascade.screen,
        "chances",
        lambda rgb: np.ones((-(-rgb.shape[0] // 8), -(-rgb.shape[1] // 8)), np.float32),
    )
    return Ruler()


def white() -> Rgb:
    return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def bars(*boxes: tuple[int, int, int, int]) -> Rgb:
    rgb = white()
    for left, top, right, bottom in boxes:
        rgb[top:bottom, left:right] = 0
    return rgb


def scores(characters: Characters, height: int = HEIGHT, width: int = WIDTH) -> dict[str, Any]:
    return known_scores(KnownText(characters=characters), [], height, width)


TEXT = ["Some words stand here,", "and some more below"]


def test_what_is_known_is_counted() -> None:
    said = set_in_lines(TEXT, em_px=12)
    found = scores(said)
    count = len("".join(TEXT).replace(" ", ""))
    assert found["chars_est"] == found["max_chars_per_256_tile"] == count
    assert found["chars_per_mpx"] == pytest.approx(count * 1e6 / (HEIGHT * WIDTH))
    assert found["text_area_share"] == pytest.approx(count * 6 * 12 / (HEIGHT * WIDTH))
    assert (found["script"], found["text_stage"]) == ("latin", "known")


def test_a_page_that_says_nothing_is_zero_everywhere() -> None:
    for said in (Characters.none(), set_in_lines(["   ", " "])):
        found = scores(said)
        assert (found.pop("script"), found.pop("text_lines")) == (None, [])
        assert found.pop("text_stage") == "known" and set(found.values()) == {0.0}


def test_lines_are_words_with_their_boxes() -> None:
    said = set_in_lines(["ab cde", "f"], em_px=10.5, left=20.4, top=30.2)
    assert scores(said)["text_lines"] == [
        {"x0": 20, "y0": 30, "x1": 31, "y1": 41, "chars": 2.0},
        {"x0": 36, "y0": 30, "x1": 52, "y1": 41, "chars": 3.0},
        {"x0": 20, "y0": 51, "x1": 26, "y1": 62, "chars": 1.0},
    ]


def test_words_stand_inside_the_page_though_letters_hang_over_its_edge() -> None:
    said = set_in_lines(["over the edges"], em_px=20, left=-5, top=-5)
    lines = scores(said, height=12, width=100)["text_lines"]
    assert [line["chars"] for line in lines] == [4, 3, 5]
    for line in lines:
        assert 0 <= line["x0"] < line["x1"] <= 100 and 0 <= line["y0"] < line["y1"] <= 12


def test_the_fullest_window_is_where_most_letters_are() -> None:
    lines = wrapped(words_of(60), 40)
    near = set_in_lines(lines, em_px=8)
    far = set_in_lines(lines[:1], em_px=8, left=500, top=480)
    count = int(near.inked.sum())
    both = Characters(
        text=near.text + far.text,
        boxes=np.concatenate([near.boxes, far.boxes]),
        em_px=np.concatenate([near.em_px, far.em_px]),
        line=np.concatenate([near.line, far.line + near.line[-1] + 1]),
        font=np.concatenate([near.font, far.font]),
        fonts=near.fonts,
    )
    found = scores(both)
    assert found["max_chars_per_256_tile"] == count
    assert found["chars_est"] == count + far.inked.sum()


@pytest.mark.parametrize("small", [0.04, 0.1, 0.6])
def test_half_and_a_twentieth_of_the_letters_stay_below(small: float) -> None:
    said = set_in_lines(["x" * 100], em_px=20)
    said.em_px[: round(100 * small)] = 6
    found = scores(said)
    assert found["glyph_px_min"] == (6 if small >= 0.05 else 20)
    assert found["glyph_px_p50"] == (6 if small >= 0.5 else 20)


@pytest.mark.parametrize(
    ("text", "script"),
    [("only letters here", "latin"), ("全是汉字的一行", "han"), ("half 一半汉字", "mixed")],
)
def test_the_script_is_that_of_the_letters(text: str, script: str) -> None:
    assert scores(set_in_lines([text]))["script"] == script


def known(count: int = 60, pictures: tuple[Any, ...] = (), doubt: str | None = None) -> KnownText:
    said = set_in_lines(wrapped(words_of(count // 4), 60), em_px=10)
    return KnownText(characters=said, pictures=pictures, doubt=doubt)


def test_nothing_is_looked_for_where_all_is_known(ruler: Ruler) -> None:
    found = TextDensity(ruler).measure(Look(bars((100, 300, 300, 320)), known=known()))
    assert ruler.shown == [] and found["chars_est"] == known().characters.inked.sum()


def test_text_in_a_picture_counts_beside_what_is_known(ruler: Ruler) -> None:
    told = known(pictures=((80, 280, 340, 360),))
    found = TextDensity(ruler).measure(Look(bars((100, 300, 300, 320)), known=told))
    count = float(told.characters.inked.sum())
    assert found["chars_est"] == pytest.approx(count + 10, abs=0.01)
    *_, last = found["text_lines"]
    assert abs(last["x0"] - 100) <= 4 and abs(last["y0"] - 300) <= 4
    assert abs(last["x1"] - 300) <= 4 and abs(last["y1"] - 320) <= 4
    assert found["text_stage"] == "known"
    assert found["glyph_px_p50"] == 10 and ruler.shown


def test_lines_where_text_is_known_are_not_counted_twice(ruler: Ruler) -> None:
    said = set_in_lines(["letters that are known well"], em_px=20, left=100, top=300)
    told = KnownText(characters=said, pictures=((80, 280, 700, 480),))
    rgb = bars((100, 300, 380, 320), (100, 400, 300, 420))
    found = TextDensity(ruler).measure(Look(rgb, known=told))
    assert found["chars_est"] == pytest.approx(said.inked.sum() + 10, abs=0.01)


def test_pictures_over_each_other_are_counted_once(ruler: Ruler) -> None:
    pictures = ((80, 280, 340, 360), (80, 280, 340, 360), (90, 250, 400, 350))
    rgb = bars((100, 300, 300, 320))
    once = TextDensity(ruler).measure(Look(rgb, known=known(pictures=pictures[:1])))
    often = TextDensity(ruler).measure(Look(rgb, known=known(pictures=pictures)))
    assert often["chars_est"] == pytest.approx(once["chars_est"], abs=0.01)
    assert len(often["text_lines"]) == len(once["text_lines"])


def test_a_page_in_doubt_goes_to_the_detector(ruler: Ruler) -> None:
    found = TextDensity(ruler).measure(
        Look(bars((100, 300, 300, 320)), known=known(doubt="unseen"))
    )
    assert found["text_stage"] == "detect"
    assert found["chars_est"] == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize(("letters", "whole"), [(19, True), (20, False)])
def test_a_page_of_few_letters_is_looked_at_as_a_whole(letters: int, whole: bool) -> None:
    told = KnownText(characters=set_in_lines(["x" * letters]))
    assert places_to_look(told, HEIGHT, WIDTH) == ([(0, 0, WIDTH, HEIGHT)] if whole else [])


def test_what_few_letters_leave_out_is_found(ruler: Ruler) -> None:
    told = KnownText(characters=set_in_lines(["few"], em_px=20))
    found = TextDensity(ruler).measure(Look(bars((100, 300, 300, 320)), known=told))
    assert found["chars_est"] == pytest.approx(13, abs=0.01)


def test_a_picture_over_most_of_the_page_is_looked_at_as_a_whole() -> None:
    whole = [(0, 0, WIDTH, HEIGHT)]
    assert places_to_look(known(pictures=((0, 0, WIDTH, 400),)), HEIGHT, WIDTH) == whole
    part = (0, 0, WIDTH, 200)
    assert places_to_look(known(pictures=(part,)), HEIGHT, WIDTH) == [part]


def test_pictures_are_cut_at_the_page_and_small_ones_passed_over() -> None:
    pictures = ((-50.5, 10, 100.2, 120), (10, 10, 60, 400), (5000, 10, 6000, 400))
    assert places_to_look(known(pictures=pictures), HEIGHT, WIDTH) == [(0, 10, 101, 120)]


def test_a_line_is_known_by_the_middles_of_letters() -> None:
    said = set_in_lines(["xx"], em_px=10, left=100, top=100)
    assert not beside({"x0": 90, "y0": 95, "x1": 120, "y1": 115}, said)
    assert beside({"x0": 90, "y0": 106, "x1": 120, "y1": 115}, said)


def test_the_share_that_is_audited_is_drawn_by_what_pages_say() -> None:
    looks = [
        Look(white(), known=KnownText(characters=set_in_lines([f"page number {n}"])))
        for n in range(400)
    ]
    drawn = [n for n, look in enumerate(looks) if is_audited(look, 0.25)]
    assert 60 < len(drawn) < 140
    assert drawn == [n for n, look in enumerate(looks) if is_audited(look, 0.25)]
    more = {n for n, look in enumerate(looks) if is_audited(look, 0.5)}
    assert more.issuperset(drawn)
    assert not any(is_audited(look, 0) for look in looks)
    assert all(is_audited(look, 1) for look in looks)


def test_only_known_text_is_audited() -> None:
    assert not is_audited(Look(white()), 1)
    assert not is_audited(Look(white(), known=known(doubt="unmapped")), 1)


@pytest.mark.parametrize("share", [0, 1])
def test_an_audit_counts_with_the_detector(share: float) -> None:
    prepared = SCORE.prepare(ScoreSettings(audit_share=share))
    assert prepared is not None and f"audit {float(share)}" in prepared.version
    rgb = page(256, 256, size_px=16)
    told = KnownText(characters=set_in_lines(["these words are not those in the pixels"]))
    found = prepared.measure(Look(rgb, known=told))
    assert found["chars_est"] == told.characters.inked.sum()
    assert ("chars_audit" in found) == bool(share)
    if share:
        assert found["chars_audit"] > 50
