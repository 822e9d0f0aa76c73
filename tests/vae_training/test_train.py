from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.vae_training.runs import (
    CROP_PX,
    WHOLE_PICTURES,
    assert_close,
    command,
    losses,
    rows,
    run,
    settings_of,
    stop_after,
)
from vae_training import train
from vae_training.assemble import assemble
from vae_training.config import TrainSettings
from vae_training.distributed import join
from vae_training.model import Autoencoder, blocks, build, halves
from vae_training.optimizer import make_optimizer, rate, set_rate
from vae_training.state.checkpoint import Checkpoint, CheckpointError
from vae_training.state.export import export
from vae_training.state.snapshot import VERSION, settle
from vae_training.trainer import Outcome
from vae_training.watch.speed import peak_flops, training_flops_per_px

OFF = ["--dino", "none", "--lpips_weights", "none"]


def test_a_run_leaves_checkpoint_grid_and_model(whole: tuple[Path, Outcome]) -> None:
    out, outcome = whole
    assert outcome.step == 6 and outcome.checkpoint == out / "checkpoints" / "step-00000006"
    assert outcome.report is not None and set(outcome.report.psnr()) == {"general", "text_synth"}
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 256
    model = Autoencoder.from_pretrained(out / "model")
    assert len(model.config.latents_mean) == model.config.latent_channels
    assert min(model.config.latents_std) > 0
    (events,) = (out / "tensorboard").iterdir()
    board = EventAccumulator(str(events)).Reload()
    assert [event.step for event in board.Scalars("train/loss")] == list(range(6))
    (shown,) = board.Images("validation/grid")
    assert shown.encoded_image_string == (out / "grid.png").read_bytes()


def test_the_checkpoint_of_a_run_exports_to_its_model(
    whole: tuple[Path, Outcome], tmp_path: Path
) -> None:
    out = export(whole[0], tmp_path / "out")
    again, model = (Autoencoder.from_pretrained(path) for path in (out, whole[0] / "model"))
    assert again.config.latents_std == model.config.latents_std is not None
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


@pytest.mark.parametrize("more", [{}, {**WHOLE_PICTURES, "accumulate": 2}])
def test_an_interrupted_run_has_the_losses_of_an_uninterrupted_one(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome], more: dict[str, Any]
) -> None:
    at_once, out = whole[0], tmp_path / "out"
    if more:
        at_once = tmp_path / "one"
        run(corpus, at_once, **more)
    stopped = run(corpus, out, stop_after(3), workers=1, **more)
    assert stopped.step == 3 and stopped.report is None
    assert run(corpus, out, workers=4, **more).step == 6
    assert losses(out) == losses(at_once)


def test_parts_of_a_batch_may_change_on_resuming_and_show_the_same_images(
    corpus: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    four = {"steps": 3, "batch_pixels": 4 * CROP_PX**2}
    run(corpus, one, **four)
    run(corpus, two, stop_after(1), **four, accumulate=3)
    ranks = join("cpu", {})
    try:
        settings = settings_of(corpus, two, **four)
        _, notes = assemble(settings, ranks, clock=time.perf_counter, stopped=lambda: False)
    finally:
        ranks.close()
    assert "accumulate was 3, from here on it is 1" in notes
    run(corpus, two, **four)
    assert_close(one, two, 3)


def test_a_finished_run_does_nothing_more(corpus: Path, tmp_path: Path) -> None:
    first = run(corpus, tmp_path, steps=3)
    before = (first.checkpoint / ".metadata").stat().st_mtime_ns
    again = run(corpus, tmp_path, steps=3)
    assert again.step == 3
    assert (again.checkpoint / ".metadata").stat().st_mtime_ns == before
    assert again.report is not None and first.report is not None
    assert again.report.psnr() == first.report.psnr()


def test_a_resumed_run_has_the_statistics_of_an_uninterrupted_one(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    run(corpus, tmp_path, stop_after(3))
    run(corpus, tmp_path, workers=4)
    one, two = (Autoencoder.from_pretrained(out / "model").config for out in (whole[0], tmp_path))
    assert one.latents_mean == two.latents_mean and one.latents_std == two.latents_std


def test_rows_behind_the_last_checkpoint_are_written_once(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path, stop_after(1), steps=3)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write(json.dumps({"step": 1, "loss": 9.0, "grad_norm": 9.0}) + "\n")
    run(corpus, tmp_path, steps=3)
    assert [step for step, *_ in losses(tmp_path)] == [0, 1, 2]


def test_another_seed_in_the_same_folder_is_refused(
    corpus: Path, whole: tuple[Path, Outcome]
) -> None:
    with pytest.raises(CheckpointError, match="seed 0, now it is 1: choose another --out"):
        run(corpus, whole[0], seed=1)


def test_the_warm_up_is_linear_and_the_cosine_ends_low() -> None:
    settings = TrainSettings(corpus="c", lr=1.0)
    rates = [rate(settings, step, 100) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0.04 < rates[-1] < 0.07
    assert rate(settings.model_copy(update={"schedule": "constant"}), 99, 100) == 1.0


def test_the_rate_of_wide_kernels_is_lower_in_proportion() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 40, 3), torch.nn.Conv2d(40, 8, 3), torch.nn.Conv2d(8, 8, 1)
    )
    settings = TrainSettings(corpus="c", lr_fan_in=90)
    optimizer = make_optimizer(model, settings)
    optimizer.param_groups[0]["weight_decay"] = 0.7  # of a checkpoint
    set_rate(optimizer, 0.5, settings)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.01}
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert [rates[id(layer.weight)] for layer in model] == [0.5, 0.125, 0.5]
    assert all(rates[id(layer.bias)] == 0.5 for layer in model)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 6
    set_rate(optimizer, 0.5, TrainSettings(corpus="c", lr_fan_in=0))
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


def test_the_command_says_what_is_off_and_where_to_look(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(command(corpus, tmp_path, "--steps", "3", "--peak_tflops", "1e-5")) == 0
    said = capsys.readouterr().out
    assert "align is off by --dino none: phases general, mixed, large ask for it" in said
    assert "lpips is off: no phase asks for it" in said and "held out by key hash" in said
    assert str(tmp_path / "grid.png") in said and "skip alone" in said
    shares = re.findall(r"MFU ([\d.]+)%", said)
    assert shares and all(float(share) > 0 for share in shares)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--corpus", "nowhere"], 1, "there is no nowhere/curriculum.json"),
        (["--corpus", "nowhere", "--model", "f8"], 2, "model"),
        (["--corpse", "x"], 2, "did you mean --corpus"),
        (["--corpus", "CORPUS", *OFF, "--lpips_weights", "no.pth"], 1, "there is no file no.pth"),
        (["--corpus", "CORPUS"], 2, "ask for it, and --dino is not given: download the folder of"),
        (["--corpus", "CORPUS", "--dino", "nothing"], 1, "download the folder of a DINOv2"),
        (["--corpus", "CORPUS", "--batch_multiple", "9"], 2, "smallest batch of one process"),
        (["--corpus", "CORPUS", "--steps", "1"], 1, "1 steps are too few for 3 phases"),
    ],
)
def test_a_wrong_command_has_a_readable_error(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    # Elsewhere, because a run may lie where the command is given.
    monkeypatch.chdir(tmp_path)
    assert train.main([str(corpus) if a == "CORPUS" else a for a in arguments]) == code
    assert message in capsys.readouterr().err


def test_validations_come_every_few_steps_and_change_nothing(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    run(corpus, tmp_path, stop_after(4), validate_every=2, checkpoint_every=3)
    # What a killed run wrote behind its last checkpoint comes again, once.
    with (tmp_path / "validation.jsonl").open("a") as file:
        file.write('{"step": 5, "psnr": {}}\n{"step": 6, "ps')
    run(corpus, tmp_path, validate_every=2, checkpoint_every=1)
    assert losses(tmp_path) == losses(whole[0])
    told = [json.loads(line) for line in (tmp_path / "validation.jsonl").read_text().splitlines()]
    assert [row["step"] for row in told] == [2, 4, 6]
    assert all(set(row["psnr"]) == {"general", "text_synth"} for row in told)
    assert told[0]["psnr"] != told[2]["psnr"] and told[0]["skip_psnr"] == told[2]["skip_psnr"]
    grids = sorted((tmp_path / "grids").iterdir())
    assert [path.name[-6:] for path in grids] == ["02.png", "04.png", "06.png"]
    assert grids[-1].read_bytes() == (tmp_path / "grid.png").read_bytes()


def test_rates_that_are_not_given_stay_as_the_run_began(corpus: Path, tmp_path: Path) -> None:
    for folder in ("given", "not"):
        run(corpus, tmp_path / folder, stop_after(2), lr=2e-4, lr_fan_in=0, steps=4)
    run(corpus, tmp_path / "given", lr=2e-4, lr_fan_in=0, steps=4)
    run(corpus, tmp_path / "not", steps=4)
    assert losses(tmp_path / "not") == losses(tmp_path / "given")
    assert max(row["lr"] for row in rows(tmp_path / "not")) <= 2e-4


def test_steps_tell_the_psnr_of_the_kinds_they_saw(whole: tuple[Path, Outcome]) -> None:
    told = rows(whole[0])
    assert told[0]["phase"] == "general" and "psnr_text_synth" not in told[0]
    assert any("psnr_text_synth" in row for row in told)
    assert all(5 < value < 60 for row in told for k, value in row.items() if k.startswith("psnr_"))


def test_a_changed_setting_is_told_on_resuming(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path, stop_after(1))
    ranks = join("cpu", {})
    try:
        settings = settings_of(corpus, tmp_path, lr=0.5, workers=7)
        _, notes = assemble(settings, ranks, clock=time.perf_counter, stopped=lambda: False)
    finally:
        ranks.close()
    assert "lr was 0.0005, from here on it is 0.5" in notes and not any("work" in n for n in notes)


@pytest.mark.parametrize(
    ("ranks", "given", "multiple"), [(1, 0, 4), (2, 0, 4), (3, 0, None), (3, 3, 3)]
)
def test_a_run_keeps_its_batches_on_another_number_of_ranks(
    ranks: int, given: int, multiple: int | None
) -> None:
    saved = TrainSettings(corpus="c", batch_multiple=4)
    info = {"settings": saved.model_dump(), "version": VERSION}
    found = Checkpoint(path=Path("run/checkpoints/step-1"), info=info, names=frozenset())
    settings = TrainSettings(corpus="c", batch_multiple=given)
    if multiple is None:
        with pytest.raises(CheckpointError, match="multiples of 4.*3 ranks.*--batch_multiple 3"):
            settle(settings, ranks, found)
    else:
        assert settle(settings, ranks, found).batch_multiple == multiple


def test_a_checkpoint_of_another_version_is_refused() -> None:
    info = {"settings": TrainSettings(corpus="c").model_dump(), "version": 99}
    found = Checkpoint(path=Path("run/checkpoints/step-1"), info=info, names=frozenset())
    with pytest.raises(CheckpointError, match=f"version 99, .* version {VERSION}: resume"):
        settle(TrainSettings(corpus="c"), 1, found)


def test_mfu_counts_what_the_convolutions_do() -> None:
    # conv_in of the encoder alone: 3 x 4 channels x 9 taps x 2 FLOPs a pixel, three passes.
    flops = training_flops_per_px(build("tiny"))
    assert flops > 3 * 2 * 3 * 4 * 9
    with torch.device("meta"):
        large = build("f16c128")
    assert training_flops_per_px(large) == pytest.approx(3.75e12 / 256**2, rel=0.05)
    assert peak_flops(torch.device("cpu"), None) is None
    assert peak_flops(torch.device("cpu"), 2.0) == 2e12


def test_weights_and_biases_is_told_when_asked_for(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []
    wandb_run = SimpleNamespace(
        id="abc", define_metric=lambda *_, **__: None, log=told.append, finish=lambda: None
    )
    package = SimpleNamespace(
        init=lambda **given: begun.append(given) or wandb_run, Image=lambda path: path
    )
    monkeypatch.setitem(sys.modules, "wandb", package)
    run(corpus, tmp_path, stop_after(1), steps=3, wandb="small")
    run(corpus, tmp_path, steps=3, wandb="small")
    assert [given["id"] for given in begun] == [None, "abc"] and begun[0]["project"] == "small"
    assert [row["step"] for row in told if "train/loss" in row] == [0, 1, 2]
    assert any("validation/grid" in row for row in told)


def test_wandb_that_is_not_installed_is_told(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="pip install wandb"):
        run(corpus, tmp_path, wandb="small")


def test_subpixel_convolutions_and_recomputed_levels_change_no_loss(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: Counter[str] = Counter()
    real_stage, real_subpixel = halves.Half.stage, blocks._subpixel_convolution

    def stage(half: Any, part: Any, h: torch.Tensor, depth: int) -> torch.Tensor:
        def counted(h: torch.Tensor) -> torch.Tensor:
            # Counting FLOPs goes through a model without memory.
            ran[f"{type(half).__name__} {depth}"] += half.training and not h.is_meta
            return part(h)

        return real_stage(half, counted, h, depth)

    def subpixel(*given: Any) -> torch.Tensor:
        ran["subpixel"] += 1
        return real_subpixel(*given)

    monkeypatch.setattr(halves.Half, "stage", stage)
    monkeypatch.setattr(blocks, "_subpixel_convolution", subpixel)
    more = ["--steps", "6", "--subpixel_convolutions", "true", "--recompute_levels", "2"]
    assert train.main(command(corpus, tmp_path, *more)) == 0
    assert_close(whole[0], tmp_path, 6)
    assert ran["subpixel"] >= 2 * 6
    assert [ran[f"Encoder {depth}"] for depth in range(3)] == [12, 12, 6]
    assert [ran[f"Decoder {depth}"] for depth in (1, 2)] == [12, 6]
