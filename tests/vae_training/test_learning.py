"""A new model learns: in a minute it passes the skips that it starts as, on pictures it never saw.

It is trained on windows of four photographs and on pages of one text, and judged on another
photograph and on pages of another text in other sizes and greys.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.vae_training.conftest import encode
from tests.vae_training.photographs import photograph
from tests.vae_training.runs import run
from vae_corpus.words import GENERAL, TEXT_SYNTH
from vae_training.metrics.psnr import psnr
from vae_training.model import Autoencoder
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import grow, shrink

PX = 256
SEEN = "a latent keeps what its decoder can use; the rest is noise, and 0123456789 signs of it. "
UNSEEN = "JUDGE by Quick Brown Foxes: 87% jumped over (lazy) dogs & wizards! Vexing, no? "
STEPS = 120
BATCH, CROP_PX = 6, 32
RECIPE = {"model": "tiny", "crop_px": CROP_PX, "batch_pixels": BATCH * CROP_PX**2, "lr": 1.5e-3}

Picture = NDArray[np.uint8]


def page(text: str, em_px: int, ink: int, paper: int) -> Picture:
    image = Image.new("L", (PX, PX), paper)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(em_px)
    for line, top in enumerate(range(4, PX, round(1.4 * em_px))):
        draw.text((4 - 9 * line, top), text * 2, fill=ink, font=font)
    return np.asarray(image.convert("RGB"))


def windows(whole: Picture) -> list[Picture]:
    tall, wide = (side - PX for side in whole.shape[:2])
    places = [(tall * y // 2, wide * x // 3) for y in range(3) for x in range(4)]
    return [whole[y : y + PX, x : x + PX] for y, x in places]


def samples(kind: str, pictures: list[Picture]) -> list[dict[str, object]]:
    text = {"language": "en", "size_band": "8-10"} if kind == TEXT_SYNTH else {}
    return [
        {
            "key": f"{kind}-{number:04d}",
            "ext": "png",
            "data": encode(picture, "png"),
            "width": PX,
            "height": PX,
            "bucket": f"{PX}x{PX}",
            **text,
        }
        for number, picture in enumerate(pictures)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, write: SimpleNamespace) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    pages = [page(SEEN, em, ink, 255) for em in (9, 11, 13, 15) for ink in (0, 40, 80)]
    seen = ("china.jpg", "astronaut.png", "coffee.png", "chelsea.png")
    pictures = [window for name in seen for window in windows(photograph(name))]
    write.shard(folder, GENERAL, PX, samples(GENERAL, pictures))
    write.shard(folder, TEXT_SYNTH, PX, samples(TEXT_SYNTH, pages))
    both = {GENERAL: 1.0, TEXT_SYNTH: 1.0}
    write.curriculum(folder, [write.phase("both", kinds=both, samples=BATCH * STEPS)])
    outcome = run(folder, folder / "run", steps=STEPS, skip_samples=512, **RECIPE)
    assert outcome.model is not None
    return outcome.model


@torch.no_grad()
def gains(model: Autoencoder) -> dict[str, float]:
    """dB over the means, of an unseen photograph and of unseen pages."""
    pages = [page(UNSEEN, em, ink, 240) for em in (10, 12, 14) for ink in (20, 60)]
    found = {}
    for name, pictures in (
        ("photograph", windows(photograph("flower.jpg"))[::2]),
        ("pages", pages),
    ):
        x = to_model(torch.from_numpy(np.stack(pictures)))
        made = to_pixels(model(x).sample).numpy()
        means = to_pixels(grow(shrink(x, 16, 64), 16, 3)).numpy()
        better = [psnr(p, m) - psnr(p, s) for p, m, s in zip(pictures, made, means, strict=True)]
        found[name] = float(np.mean(better))
    return found


@pytest.mark.slow
def test_a_minute_of_training_passes_the_skips_and_what_was_learned_is_in_the_deep_path(
    trained: Path,
) -> None:
    load = functools.partial(Autoencoder.from_pretrained, trained)
    learned = gains(load().eval())
    silent = load().eval()
    for half in silent.halves:
        torch.nn.init.zeros_(half.conv_out.weight)
        torch.nn.init.zeros_(half.conv_out.bias)
    fit_alone = gains(silent)
    assert fit_alone["photograph"] > 2.5 and fit_alone["pages"] > 1.5
    assert learned["pages"] > fit_alone["pages"] + 0.3
    assert learned["photograph"] > fit_alone["photograph"] - 0.3  # its background is smooth
    for half in silent.halves:
        assert half.projection is not None
        half.projection.weight.zero_()
    assert all(abs(gain) < 0.01 for gain in gains(silent).values())
