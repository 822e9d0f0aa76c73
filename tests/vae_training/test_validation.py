from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vae_training import train
from vae_training.metrics.psnr import mean_psnr, psnr, psnr_means, psnr_sums, told
from vae_training.model import build
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import alone, fit
from vae_training.state.model_card import model_card
from vae_training.validation import Pair, Report
from vae_training.watch.journal import Journal
from vae_training.watch.picture_grid import compose_grid


def test_pixels_survive_the_way_to_the_model_and_back() -> None:
    pixels = torch.arange(192, dtype=torch.uint8).reshape(1, 8, 8, 3)
    assert torch.equal(to_pixels(to_model(pixels)), pixels)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(a, a + 255) == 0.0
    assert psnr(a, a + 2) == pytest.approx(42.11, abs=0.01)
    one = a.copy()
    one[0, 0, 0] = 1  # one level in one of 48 values: nothing bounds it at 48 dB
    assert psnr(a, one) == pytest.approx(48.13 + 16.81, abs=0.01)
    assert psnr(a, a) == math.inf


def test_a_mean_is_over_the_pictures_that_differ() -> None:
    assert mean_psnr([30.0, math.inf, 40.0]) == 35.0
    assert mean_psnr([math.inf, math.inf]) == math.inf
    assert told(35.0, 1, 3) == "35.00 (1 of 3 exact)" and told(35.0, 0, 3) == "35.00"
    assert told(math.inf, 2, 2) == told(None, 2, 2) == "2 of 2 exact"


def test_exact_images_of_a_step_are_not_counted_on_any_rank() -> None:
    names = ["document", "general", "text_real"]
    error = 4 / 127.5**2
    one = psnr_sums([0.0, error], ["general", "general"], names)
    two = psnr_sums([error, 0.0], ["general", "document"], names)
    means = psnr_means([a + b for a, b in zip(one, two, strict=True)], names)
    assert means == {"general": pytest.approx(42.11, abs=0.01)}


def test_steps_and_validations_measure_psnr_alike() -> None:
    rng = np.random.default_rng(0)
    for spread in (1, 30):
        a = rng.integers(0, 226, (40, 40, 3)).astype(np.uint8)
        b = a + rng.integers(0, spread + 1, a.shape).astype(np.uint8)
        error = float(np.mean((a / 127.5 - b / 127.5) ** 2))
        sums = psnr_sums([error, math.inf], ["general", "document"], ["general"])
        assert sums == pytest.approx([psnr(a, b), 1.0])


def test_exact_pictures_are_told_in_json_on_boards_and_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = np.zeros((16, 16, 3), dtype=np.uint8)
    same = Pair(original=flat, reconstruction=flat, psnr=math.inf, skip_psnr=math.inf)
    other = Pair(original=flat, reconstruction=flat + 2, psnr=42.1, skip_psnr=20.0)
    pairs = {"document": [same], "general": [same, other]}
    report = Report(pairs=pairs, began_as_skips=True)
    board: dict[str, float] = {}
    shown = SimpleNamespace(
        scalars=lambda _, values: board.update(values), picture=lambda *_: None, close=lambda: None
    )
    journal = Journal(
        tmp_path, [shown], first_step=0, total=1, peak_flops=None, clock=time.perf_counter
    )
    journal.validation(1, report, tmp_path / "grid.png")
    journal.close()
    line = (tmp_path / "validation.jsonl").read_text()
    row = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert row["psnr"] == {"document": None, "general": 42.1}
    assert row["exact"] == row["skip_exact"] == {"document": 1, "general": 1}
    assert board == {"validation/psnr_general": 42.1}
    train._tell_psnr(report)
    said = capsys.readouterr().out
    assert "document 1 of 1 exact [+0.00] general 42.10 (1 of 2 exact) [+11.05]" in said
    assert row["over_skips"] == {"document": 0.0, "general": pytest.approx(11.05)}
    assert "note:" not in said
    assert said.count("42.10 (1 of 2 exact)") == 2 and said.count("20.00 (1 of 2 exact)") == 1
    card = model_card(build("tiny"), tmp_path, {"step": 1})
    assert "| general | 2 | 42.10 (1 of 2 exact) | 20.00 (1 of 2 exact) |" in card
    assert "| document | 1 | 1 of 1 exact | 1 of 1 exact |" in card and "Means are over" in card
    assert compose_grid(report.pairs, "t").width > 0


def test_a_new_model_gives_what_its_skips_alone_give() -> None:
    model, draws = build("tiny"), torch.Generator().manual_seed(0)
    for half in model.halves:
        blocks = torch.randn(900, 768, generator=draws, dtype=torch.float64)
        assert half.projection is not None
        fit(half.projection, blocks.T @ blocks)
    x = torch.rand(1, 3, 32, 48, generator=draws) * 2 - 1
    encoding, decoding = (half.projection for half in model.halves)
    made = model(x).sample
    assert torch.allclose(made, alone(x, 16, 64, encoding, decoding), atol=1e-5)
    assert not torch.allclose(made, alone(x, 16, 64, None, None), atol=0.1)


@pytest.mark.parametrize(
    ("psnr", "note"),
    [(30.01, "add 0.010 dB"), (29.0, "1.00 dB below"), (30.3, ""), (math.inf, "")],
)
def test_convolutions_that_add_nothing_are_told(
    capsys: pytest.CaptureFixture[str], psnr: float, note: str
) -> None:
    flat = np.zeros((16, 16, 3), dtype=np.uint8)
    pair = Pair(original=flat, reconstruction=flat, psnr=psnr, skip_psnr=30.0)
    train._tell_psnr(Report(pairs={"general": [pair], "document": []}, began_as_skips=True))
    said = capsys.readouterr().out
    assert note in said and ("note:" in said) == bool(note)
    train._tell_psnr(Report(pairs={"general": [pair]}))
    assert "note:" not in capsys.readouterr().out, "there are no skips that it began as"


def test_a_model_that_is_exact_more_often_gains() -> None:
    flat = np.zeros((16, 16, 3), dtype=np.uint8)
    values = [(math.inf, 60.0)] * 3 + [(30.0, 29.0)]
    pairs = [Pair(original=flat, reconstruction=flat, psnr=a, skip_psnr=b) for a, b in values]
    report = Report(pairs={"document": pairs}, began_as_skips=True)
    assert report.psnr()["document"] < report.skip_psnr()["document"]
    assert report.gains()["document"] > 1.0


def test_a_grid_has_two_rows_per_kind() -> None:
    red = np.zeros((300, 280, 3), dtype=np.uint8) + np.array([255, 0, 0], dtype=np.uint8)
    pair = Pair(original=red, reconstruction=255 - red, psnr=1.0, skip_psnr=1.0)
    one, two = compose_grid({"a": [pair]}, "t"), compose_grid({"a": [pair], "b": [pair] * 3}, "t")
    assert two.width > one.width and one.height < two.height < 2 * one.height
    colours = [one.getpixel((100, y)) for y in range(one.height)]
    assert colours.count((255, 0, 0)) == colours.count((0, 255, 255)) == 256
    assert colours.index((255, 0, 0)) < colours.index((0, 255, 255)), "originals are above"
