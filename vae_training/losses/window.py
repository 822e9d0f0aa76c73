"""The window of a large picture that LPIPS and DINOv2 look at, another one each step.

Up to 512 x 512 px they see all of it. Above, LPIPS would take 16 GiB for one image of 2048 px, and
the attention of DINOv2 and the pairs of L_mdms grow with the square of the positions. It is a
window rather than a smaller picture, because small text is what high resolutions are trained for;
and DINOv2 has learned at 518 px.
"""

from __future__ import annotations

from itertools import product

LARGEST_PX = 512
_PATCH_PX = 16  # of the image per patch that DINOv2 sees


def windows(height: int, width: int, f: int) -> list[tuple[slice, slice]]:
    """Rows and columns in px of all windows of a picture: one, if it has at most 512 x 512 px.

    They begin on the grid of latents and patches and lie evenly. Sides that are multiples of 512
    are cut without overlap, so that the mean over all windows is the mean over all positions.
    """
    if height * width <= LARGEST_PX**2:
        return [(slice(0, height), slice(0, width))]
    return list(product(_cuts(height, f), _cuts(width, f)))


def window(height: int, width: int, f: int, draw: int) -> tuple[slice, slice]:
    """The window that `draw`, a random number >= 0, chooses; all are equally likely."""
    chosen = windows(height, width, f)
    return chosen[draw % len(chosen)]


def _cuts(side: int, f: int) -> list[slice]:
    grid = max(f, _PATCH_PX)  # both are powers of two
    size = min(side, LARGEST_PX)
    count = -(-side // size)
    starts = [(side - size) * n // max(1, count - 1) // grid * grid for n in range(count)]
    return [slice(start, start + size) for start in starts]
