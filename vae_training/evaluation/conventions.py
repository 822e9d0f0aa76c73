"""How each number is made, in words that go into the results beside it.

"As ..." is the convention of the report's official script; "ours" is one that it leaves open, or
that differs from it.
"""

from __future__ import annotations

CONVENTIONS = {
    "psnr": "as piq: RGB in [0, 1], float32, one error over all channels; ours: no bound (piq adds"
    " 1e-8 to the error, which mean_bounded does), equal pictures are counted beside the mean",
    "ssim": "as piq: RGB in [0, 1], float32, Gaussian window of 11 px with sigma 1.5, data_range 1,"
    " no down-sampling, only where the window lies inside, mean over channels; ours: none for"
    " pictures below 11 px",
    "lpips": "as lpips 0.1 with net vgg: RGB in [-1, 1], float32; ours: none for pictures below 16"
    " px",
    "fid": "as pytorch-fid: InceptionV3 of 2048 dimensions, bilinear resize to 299 px, of the"
    " originals as prepared against their reconstructions; ours: the root by singular values",
    "ned": "report, equation 5: 1 - levenshtein / longer length in code points, lines joined"
    " without separator, no normalisation, originals without text left out; ours: the engine (the"
    " official one is PP-OCRv5 through PaddleOCR), which reads at twice the size, one line at a"
    " time, and leaves out lines of a confidence below 0.5",
}
_ROUNDED = "; reconstructions are clamped and rounded to 8 bits, and written as PNG"
_PADDED = "padded to a multiple of f by repeating the edge and cropped back"
PREPARATIONS = {
    "photos": f"ours: shorter side resized (Pillow bicubic, antialiased), centre square;"
    f" {_PADDED}{_ROUNDED}",
    "own_size": f"ours: at their own sizes, {_PADDED}{_ROUNDED}",
    "cut": f"ours: a square from the centre at their own scale, {_PADDED}{_ROUNDED}",
    "pairs": "as the files are",
}
