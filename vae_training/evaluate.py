"""Measure how well autoencoders give pictures back: PSNR, SSIM, LPIPS, FID and NED of text.

Run: `python vae_training/evaluate.py --model runs/tiny jpeg-q10 --photos DIR --text DIR`
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from vae_corpus import imports  # noqa: E402
from vae_corpus import settings as reader  # noqa: E402
from vae_corpus.progress import clock  # noqa: E402
from vae_training.evaluation.comparison import markdown  # noqa: E402
from vae_training.evaluation.config import EvaluateSettings  # noqa: E402

if TYPE_CHECKING:
    from vae_training.evaluation.run import Evaluation

EPILOG = """\
Reconstructions, originals as measured, results.json, images.parquet (a row per picture and model),
table.md and index.html, a page to look at them side by side, are written below --out. The same
command goes on where it broke off: what was reconstructed or read with the same settings is kept,
also when models are added. Nothing is downloaded: lpips and fid without their weights are left out,
and named with where to get them.

examples:
  a run beside baselines  python vae_training/evaluate.py --model runs/tiny identity jpeg-q10 \\
                            --photos photos --text pages --lpips_weights vgg16-397923af.pth
  a model of others       python vae_training/evaluate.py --model sdxl=sdxl/vae --photos photos
  models of the report    python vae_training/evaluate.py --baselines flux2 qwen-image jpeg-q10 \\
                            --baseline_folder weights --photos photos --table
  how fast they are       python vae_training/evaluate.py --model runs/tiny jpeg-q10 --speed \\
                            --speed_sizes 256 512
  on several GPUs         torchrun --nproc_per_node 8 vae_training/evaluate.py --model runs/tiny \\
                            --photos photos
  ready pairs             python vae_training/evaluate.py --reference a --reconstruction b \\
                            --metrics psnr,ssim
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate; 0 when done, 1 when it failed, 2 for a wrong setting."""
    return reader.run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    settings = reader.load(
        EvaluateSettings,
        argv,
        description="Measure how well autoencoders give pictures back.",
        epilog=EPILOG,
    )
    if settings.reference or settings.photos or settings.text:
        code = _evaluate(settings)
        if code:
            return code
    if os.environ.get("RANK", "0") != "0":
        return 0
    if settings.speed and _measure_speed(settings):
        return 1
    if settings.table:
        _tell_table(settings)
    return 0


def _evaluate(settings: EvaluateSettings) -> int:
    # PyTorch takes seconds to import: help and wrong settings are told before.
    with imports.quick():
        import torch

        from filters.ocr.engine import OcrUnavailable
        from vae_training.distributed import join
        from vae_training.evaluation.run import evaluate

    if settings.threads:
        torch.set_num_threads(settings.threads)
    started = time.monotonic()
    try:
        ranks = join(settings.device, os.environ) if "WORLD_SIZE" in os.environ else None
    except ValueError as error:
        raise reader.SettingsError(str(error)) from None
    try:
        done = evaluate(settings, print, ranks)
    except (OSError, OcrUnavailable) as error:
        print(f"error: {error}; what is done is kept, the same command goes on", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is done is kept, the same command goes on", file=sys.stderr)
        return 1
    finally:
        if ranks is not None:
            ranks.close()
    if done is not None:
        _conclude(done, time.monotonic() - started)
    return 0


def _measure_speed(settings: EvaluateSettings) -> int:
    from vae_training.evaluation.run import measure_speed

    try:
        shown = measure_speed(settings)
    except (OSError, KeyboardInterrupt) as error:
        why = "stopped" if isinstance(error, KeyboardInterrupt) else f"error: {error}"
        print(f"{why}; the cells that are done stand in {settings.out}/speed.md", file=sys.stderr)
        return 1
    print(f"\n{shown}\n{settings.out}/speed.json, {settings.out}/speed.md")
    return 0


def _tell_table(settings: EvaluateSettings) -> None:
    path = Path(settings.out) / "results.json"
    results = None
    if path.is_file():
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise reader.SettingsError(
                f"--table: {path} cannot be read ({error}): evaluate again, or give another --out"
            ) from None
    said = dict(word.split("=", 1) for word in settings.published_set)
    print(markdown(results, said))


def _conclude(done: Evaluation, seconds: float) -> None:
    from vae_training.evaluation.results import oddities, table

    rows = table(done.results)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print()
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    print("means over pictures, with 95 % intervals (bootstrap)")
    for name, part in done.results["sets"].items():
        for line in oddities(part["models"]):
            print(f"{name}: {line}")
    for metric, why in done.results["left_out"].items():
        print(f"{metric} was left out: {why}")
    print(f"done in {clock(seconds)}:")
    for path in done.files:
        print(f"  {path}")


if __name__ == "__main__":
    raise SystemExit(main())
