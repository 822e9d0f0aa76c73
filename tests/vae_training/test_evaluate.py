"""The command: models and baselines on folders of pictures, and what a rerun keeps."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vae_training.conftest import picture
from tests.vae_training.evaluation import (
    PLAIN,
    inception_weights,
    photos,
    results,
    rows,
    run,
    save,
    vgg_weights,
)
from tests.vae_training.runs import Forked
from tests.vae_training.test_init import CASES
from vae_training import evaluate
from vae_training.baselines.weight_free import BASELINES
from vae_training.evaluation import reconstruct
from vae_training.evaluation.config import BASELINE_NAMES
from vae_training.evaluation.contenders import _noise, batches
from vae_training.evaluation.pictures import centre_square, padded
from vae_training.losses.lpips import load_lpips
from vae_training.metrics import similarity
from vae_training.model import build, folder
from vae_training.model.adapters import OURS, adapter_of

import diffusers  # isort: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, as a run has it."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("runs") / "small"
    model = build("tiny", encoder_skip="nsc", decoder_skip="nsc")
    with torch.no_grad():
        for weight in model.parameters():  # zero-initialised ends would give one grey
            weight.add_(0.05 * torch.randn_like(weight))
        model.encoder.conv_out.bias[64:] = 1.0  # a posterior that is wide enough to be seen
    model.save_pretrained(root / "model")
    return root


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return photos(tmp_path / "photos")


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def reconstructions(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.glob("*/*/**/*.png"))}


def test_names_of_baselines_are_those_of_the_baselines() -> None:
    assert tuple(BASELINES) == BASELINE_NAMES


@pytest.mark.parametrize("name", BASELINE_NAMES)
def test_a_baseline_keeps_shape_and_type(name: str) -> None:
    rgb = padded(picture(70, 40, "baseline"), BASELINES[name].f)
    made = BASELINES[name].reconstruct(rgb)
    assert made.shape == rgb.shape and made.dtype == np.uint8
    assert (made is not rgb) and np.array_equal(made, rgb) == (name == "identity")


def test_all_of_a_run_beside_baselines(tiny: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    vgg, inception = vgg_weights(tmp_path / "v.pth"), inception_weights(tmp_path / "i.pth")
    models = ("identity", "skip-f16c64", "blur-4x", tiny)
    metrics = ("--metrics", "psnr", "ssim", "lpips,fid", "--batch", "2", "--size", "64")
    weights = ("--lpips_weights", vgg, "--fid_weights", inception)
    assert run("--model", *models, "--photos", pictures, "--out", out, *metrics, *weights) == 0
    found = results(out)
    measured = found["sets"]["photos"]["models"]
    assert list(measured) == ["identity", "skip-f16c64", "blur-4x", "small"]
    assert found["left_out"] == {} and set(found["weights"]) == {"lpips", "fid"}
    for name, entry in measured.items():
        assert entry["pictures"] == entry["measured"] == 3
        assert set(entry["metrics"]) == {"psnr", "ssim", "lpips", "fid"}
        for metric in ("ssim", "lpips"):
            assert entry["metrics"][metric]["low"] <= entry["metrics"][metric]["mean"]
        assert pixels(out / name / "photos" / "p1.png").shape == (64, 64, 3)
    identity, small = measured["identity"], measured["small"]
    assert identity["metrics"]["psnr"] == {
        **{"mean": None, "low": None, "high": None, "pictures": 0, "exact": 3},
        "mean_bounded": pytest.approx(80),
    }
    assert identity["metrics"]["fid"]["mean"] == pytest.approx(0, abs=1e-6)
    assert small["metrics"]["fid"]["mean"] > 1
    assert small["settings"]["class"] == OURS and small["settings"]["latent_channels"] == 64
    row = rows(out)["photos", "small", "p0"]
    assert row["slug"] == "" and row["psnr"] < 30 and (row["width"], row["height"]) == (64, 64)
    values = [
        similarity.unit(np.asarray(pixels(out / name / "photos" / "p0.png"), np.uint8))
        for name in ("reference", "small")
    ]
    expected = similarity.lpips(load_lpips(str(vgg)), *values)
    assert row["lpips"] == pytest.approx(expected, rel=1e-5) and row["lpips"] > 0
    table = (out / "table.md").read_text(encoding="utf-8")
    assert table.count("\n| photos |") == 4 and "3 of 3 exact" in table


def test_ranking_and_paired_differences(tmp_path: Path) -> None:
    text = np.full((64, 96, 3), 255, np.uint8)
    text[10::9, 8:-8] = 0
    text[:, 20::7] //= 2
    names = ["page", "turned", "half"]
    drawn = (text, np.ascontiguousarray(text[::-1, ::-1]), text // 2)
    pictures = save(tmp_path / "text", **dict(zip(names, drawn, strict=True)))
    out = tmp_path / "out"
    models = ("identity", "skip-f16c128", "blur-4x")
    assert run("--model", *models, "--text", pictures, "--out", out, *PLAIN) == 0
    found = results(out)
    entries = found["sets"]["text"]["models"]
    for metric, value in (("psnr", "mean_bounded"), ("ssim", "mean")):
        best, skip, blur = (entries[model]["metrics"][metric][value] for model in models)
        assert best > skip > blur
    by = {(d["a"], d["b"], d["metric"]): d for d in found["differences"]}
    assert len(by) == 6
    each = rows(out)
    expected = [
        each["text", models[1], n]["psnr"] - each["text", models[2], n]["psnr"] for n in names
    ]
    entry = by[models[1], models[2], "psnr"]
    assert entry["mean"] == pytest.approx(np.mean(expected), abs=1e-9) and entry["pictures"] == 3
    assert entry["low"] <= entry["mean"] <= entry["high"]
    # Infinity has no difference; it is counted.
    assert by["identity", "blur-4x", "psnr"] == {
        **{"set": "text", "a": "identity", "b": "blur-4x", "metric": "psnr"},
        **{"mean": None, "low": None, "high": None, "pictures": 0, "infinite": 3},
    }


def test_a_rerun_does_no_work_again(
    tiny: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = ("--model", tiny, "--photos", pictures, "--size", "32", "--out", out, *PLAIN)
    assert run(*words) == 0
    before, first = reconstructions(out), results(out)
    worked: list[int] = []
    through = reconstruct.through

    def counted(contender: Any, some: Sequence[Any], noises: Sequence[str]) -> Any:
        worked.append(len(some))
        return through(contender, some, noises)

    monkeypatch.setattr(reconstruct, "through", counted)
    assert run(*words) == 0
    assert worked == [] and reconstructions(out) == before and results(out) == first
    # One that is lost, and one of which the original changed, are made again, no other.
    (out / "small/photos/p0.png").unlink()
    save(pictures, p1=picture(90, 72, "another"))
    assert run(*words) == 0
    assert sum(worked) == 2
    after = reconstructions(out)
    assert {name for name in before if before[name] != after[name]} == {
        "reference/photos/p1.png",
        "small/photos/p1.png",
    }
    # Results that were moved are looked for where they are now.
    worked.clear()
    moved = tmp_path / "moved"
    shutil.copytree(out, moved)
    assert run(*words[:-4], "--out", moved, *PLAIN) == 0
    assert worked == [] and rows(moved)["photos", "small", "p0"]["reference"].startswith(str(moved))
    # Other settings make all anew.
    worked.clear()
    assert run(*words, "--dtype", "bf16") == 0
    assert sum(worked) == 3


def test_a_run_that_broke_off_goes_on(
    tiny: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = ("--model", tiny, "--text", pictures, "--batch", "1", "--out", out, *PLAIN)
    through, left = reconstruct.through, [2]

    def broken(contender: Any, some: Sequence[Any], noises: Sequence[str]) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("disk full")
        return through(contender, some, noises)

    monkeypatch.setattr(reconstruct, "through", broken)
    assert run(*words) == 1
    journal = out / "small/text/.made"
    # Written to the middle of its last line, and, at the worst, of its first.
    for kept, again in ((2, 1), (0, 3)):
        lines = [line for line in journal.read_text(encoding="utf-8").split("\n") if line]
        journal.write_text("\n".join([*lines[:kept], '["p2", "cut sho']), encoding="utf-8")
        left[0] = again
        assert run(*words) == 0 and left[0] == 0
        assert run(*words) == 0  # and nothing is made a second time
    assert results(out)["sets"]["text"]["models"]["small"]["measured"] == 3


def test_noise_is_that_of_a_picture() -> None:
    both = _noise(torch.zeros(2, 3, 4, 4), 0, ("a", "b"))
    assert torch.equal(both[1:], _noise(torch.zeros(1, 3, 4, 4), 0, ("b",)))
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(both, _noise(torch.zeros(2, 3, 4, 4), 1, ("a", "b")))
    many = _noise(torch.zeros(1, 64, 32, 32), 0, ("c",))
    assert abs(float(many.mean())) < 0.02 and abs(float(many.std()) - 1) < 0.02


def test_a_sample_depends_on_the_seed_and_not_on_the_batch(
    tiny: Path, pictures: Path, tmp_path: Path
) -> None:
    def sampled(name: str, *words: str) -> list[Any]:
        out = tmp_path / name
        base = ("--model", tiny, "--photos", pictures, "--size", "32", "--out", out, *PLAIN)
        assert run(*base, *words) == 0
        paths = sorted((out / "small" / "photos").glob("*.png"))
        return [pixels(path) for path in paths]

    mode = sampled("mode")
    one = sampled("one", "--mode", "sample", "--batch", "1")
    three = sampled("three", "--mode", "sample", "--batch", "3")
    other = sampled("other", "--mode", "sample", "--seed", "1")
    assert max(np.abs(a - b).max() for a, b in zip(one, three, strict=True)) <= 1
    assert all(np.abs(a - b).max() > 1 for a, b in zip(one, other, strict=True))
    assert all(np.abs(a - b).max() > 1 for a, b in zip(one, mode, strict=True))


@pytest.mark.parametrize("case", [*CASES, OURS])
@torch.no_grad()
def test_the_mean_of_a_posterior_is_its_mode(case: str) -> None:
    torch.manual_seed(0)
    model = build("tiny") if case == OURS else getattr(diffusers, case.split("-")[0])(**CASES[case])
    adapter, x = adapter_of(model), torch.rand(1, 3, 32, 32) * 2 - 1
    mean, spread = adapter.posterior(model.eval(), x)
    assert torch.equal(mean, adapter.encode(model, x))
    assert (spread is None) == (case == "AutoencoderDC")
    assert spread is None or (spread.shape == mean.shape and (spread > 0).all())


@torch.no_grad()
def test_every_class_is_measured_as_it_reconstructs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rgb = picture(40, 32, "classes")
    source, out = save(tmp_path / "text", one=rgb), tmp_path / "out"
    folders = [tmp_path / "models" / case for case in CASES]
    for path in folders:
        getattr(diffusers, path.name.split("-")[0])(**CASES[path.name]).save_pretrained(path)
    assert run("--model", *folders, "--text", source, "--out", out, *PLAIN) == 0
    x = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 127.5 - 1
    for path in folders:
        model = folder.load(path).eval()
        adapter = adapter_of(model)
        y = adapter.decode(model, adapter.encode(model, x))[0, :3].permute(1, 2, 0)
        wanted = ((y + 1) * 127.5).round().clamp(0, 255).numpy()
        assert np.abs(wanted - pixels(out / path.name / "text" / "one.png")).max() <= 1


def test_text_is_padded_and_cropped_back(tiny: Path, tmp_path: Path) -> None:
    rgb = picture(50, 37, "odd")
    source, out = save(tmp_path / "text", a__b=rgb), tmp_path / "out"
    assert run("--model", tiny, "--text", source, "--out", out, *PLAIN) == 0
    made = pixels(out / "small/text/a/b.png")
    assert made.shape == (37, 50, 3)
    model = folder.load(tiny / "model").eval()
    x = torch.from_numpy(np.pad(rgb, ((0, 11), (0, 14), (0, 0)), mode="edge"))
    x = x.permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        y = model(x).sample[0, :, :37, :50].permute(1, 2, 0)
    wanted = ((y + 1) * 127.5).round().clamp(0, 255)
    assert np.abs(wanted.numpy() - made).max() <= 1


def test_photos_are_resized_by_the_shorter_side_and_cropped() -> None:
    rgb = np.zeros((40, 90, 3), np.uint8)
    rgb[:, 25:65] = 255
    square = centre_square(rgb, 20)
    assert square.shape == (20, 20, 3) and square.mean() > 245
    assert centre_square(rgb, 80).shape == (80, 80, 3)
    assert centre_square(rgb, None) is rgb


def test_batches_hold_one_padded_shape_and_everything_once() -> None:
    shapes = [(30, 32), (17, 32), (40, 32), (32, 32), (32, 30)]
    found = list(batches(shapes, 16, 2))
    assert sorted(n for some in found for n in some) == [0, 1, 2, 3, 4]
    assert sorted(map(len, found)) == [1, 2, 2]
    assert [2] in found


def test_ready_pairs_are_measured_by_name(tmp_path: Path) -> None:
    rgb = picture(40, 30, "pair")
    a = save(tmp_path / "a", one=rgb, sub__two=rgb)
    b = save(tmp_path / "b", one=rgb)
    (b / "sub").mkdir()
    Image.fromarray(rgb).save(b / "sub" / "two.jpg", quality=50)
    out = tmp_path / "out"
    assert run("--reference", a, "--reconstruction", b, "--out", out, *PLAIN) == 0
    found = rows(out)
    assert found["pairs", "b", "one"]["psnr"] == math.inf
    made = pixels(b / "sub" / "two.jpg")
    expected = 10 * math.log10(255**2 / np.mean((made - rgb) ** 2))
    # Two decoders of JPEG may differ by a level.
    assert found["pairs", "b", "sub/two"]["psnr"] == pytest.approx(expected, abs=0.05)
    entry = results(out)["sets"]["pairs"]["models"]["b"]["metrics"]["psnr"]
    assert entry["exact"] == 1 and entry["pictures"] == 1


def test_models_may_be_named_and_given_one_by_one(
    tiny: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    copy = shutil.copytree(tiny, tmp_path / "again" / "small")
    words = ("--photos", pictures, "--size", "16", "--out", out, *PLAIN)
    assert run("--model", tiny, "--model", f"second={copy}", *words) == 0
    assert list(results(out)["sets"]["photos"]["models"]) == ["small", "second"]
    hashes = {
        json.loads((out / name / "photos/.settings.json").read_text())["hash"]
        for name in ("small", "second")
    }
    assert len(hashes) == 1  # the same weights, wherever they lie


def test_several_processes_make_what_one_does(pictures: Path, tiny: Path, tmp_path: Path) -> None:
    save(pictures, **{f"q{n}": picture(80, 72, "q", n) for n in range(4)})
    argv = ["--model", str(tiny), "blur-2x", "--photos", str(pictures), "--size", "64", *PLAIN]
    argv += ["--batch", "2", "--threads", "1"]
    assert run(*argv, "--out", tmp_path / "one") == 0
    pair = Forked(tmp_path / "log", [*argv, "--out", str(tmp_path / "two")], 2, main=evaluate.main)
    assert pair.finish().count("done in") == 1
    one, two = (results(tmp_path / name)["sets"] for name in ("one", "two"))
    assert one == two
    for name in tiny.name, "blur-2x":
        a, b = (
            {p.name: p.read_bytes() for p in (tmp_path / out / name / "photos").glob("*.png")}
            for out in ("one", "two")
        )
        assert a == b and len(a) == 7
        assert not list((tmp_path / "two" / name / "photos").glob(".made?*"))
    # Whoever goes on alone finds what all have made.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "two").rglob("*.png")}
    assert run(*argv, "--out", tmp_path / "two") == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "two").rglob("*.png")} == before


def test_tiles_are_asked_for_where_a_class_has_them(
    pictures: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("--model", tiny, "--photos", pictures, "--size", "64", *PLAIN, "--tiling")
    assert run(*argv, "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out")["sets"]["photos"]["models"][tiny.name]["settings"]["tiling"]
