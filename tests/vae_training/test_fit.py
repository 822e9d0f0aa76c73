"""Linear skips of a new model are fit to crops of its corpus, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import vae_training.assemble as assemble
from tests.vae_training.runs import opened, run, stop_after
from tests.vae_training.several_ranks import on_ranks
from vae_training.data.mixture_crops import mixture_crops
from vae_training.fit import fit_skips, second_moment
from vae_training.model import Autoencoder, build
from vae_training.model.pixels import to_model
from vae_training.model.skip import fold, grow, shrink


def test_a_second_moment_is_that_of_the_crops_bit_for_bit_on_any_number_of_ranks(
    corpus: Path,
) -> None:
    data = opened(corpus)
    asked = {"crops": 18, "workers": 1}
    (one,) = on_ranks(1, lambda r: second_moment(data, r, f=16, **asked))
    drawn = list(mixture_crops(data, "skips", rank=0, world=1, side=64, **asked))
    x = to_model(torch.from_numpy(np.concatenate(drawn)))
    blocks = fold(x.double(), 16).transpose(0, 1).flatten(1)
    assert len(x) == 18 and torch.allclose(one, blocks @ blocks.T, rtol=1e-6, atol=1e-4)
    for other in on_ranks(2, lambda r: second_moment(data, r, f=16, crops=18, workers=3)):
        assert torch.equal(other, one)


@pytest.mark.parametrize("skips", [("linear", "linear"), ("linear", "gsc"), ("gsc", "gsc")])
def test_halves_with_linear_skips_are_fit_and_others_are_not(
    corpus: Path, skips: tuple[str, str]
) -> None:
    model = build("tiny", encoder_skip=skips[0], decoder_skip=skips[1])
    on_ranks(1, lambda r: fit_skips(model, opened(corpus), r, crops=64, workers=1))
    for half, skip in zip(model.halves, skips, strict=True):
        assert (half.projection is not None) == (skip == "linear")
        if half.projection is not None:
            assert half.projection.weight.abs().max() > 0.01


@torch.no_grad()
def test_a_fit_model_is_better_than_the_means_on_crops_of_its_corpus(corpus: Path) -> None:
    model, data = build("tiny").eval(), opened(corpus)
    on_ranks(1, lambda r: fit_skips(model, data, r, crops=512, workers=2))
    drawn = mixture_crops(data, "others", rank=0, world=1, crops=64, side=64, workers=1)
    x = to_model(torch.from_numpy(np.concatenate(list(drawn))))
    errors = [(y - x).square().mean() for y in (model(x).sample, grow(shrink(x, 16, 64), 16, 3))]
    assert errors[0] < 0.7 * errors[1]


def test_a_run_keeps_its_skips_and_one_that_goes_on_from_a_folder_takes_its_own(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[object] = []

    def counted(model: Autoencoder, *rest: object, **more: object) -> None:
        fits.append(model)
        fit_skips(model, *rest, **more)

    monkeypatch.setattr(assemble, "fit_skips", counted)
    run(corpus, tmp_path / "run", stop_after(2))
    outcome = run(corpus, tmp_path / "run")
    assert len(fits) == 1 and outcome.model is not None
    found = Autoencoder.from_pretrained(outcome.model)
    assert isinstance(fits[0], Autoencoder)
    for half, was in zip(found.halves, fits[0].halves, strict=True):
        assert torch.equal(half.projection.weight, was.projection.weight)
    again = run(corpus, tmp_path / "more", model="", init=str(outcome.model), steps=3)
    assert len(fits) == 1 and again.model is not None
    other = Autoencoder.from_pretrained(again.model)
    assert torch.equal(other.encoder.projection.weight, found.encoder.projection.weight)
