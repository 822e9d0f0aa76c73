"""Run convolutional layers tile by tile, so that memory depends on the tile, not on the image.

A window is a core with an overlap on each side. With an overlap of at least the radius of the
receptive field, the cores cut out of their windows equal the result of the whole image up to
rounding. With a smaller one, windows are blended over their overlaps, an approximation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Window:
    """Cells `start` to `stop` of one axis; the core is `core_start` to `core_stop`."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def windows(length: int, core: int, overlap: int) -> Iterator[Window]:
    """Cut `length` cells into cores of at most `core` cells, as equal as can be, in order."""
    count = -(-length // core)
    borders = [length * number // count for number in range(count + 1)]
    for first, last in zip(borders, borders[1:], strict=False):
        yield Window(
            start=max(0, first - overlap),
            stop=min(length, last + overlap),
            core_start=first,
            core_stop=last,
        )


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Tiles of `core` cells with `overlap` cells; a cell is `cell_in` rows in, `cell_out` rows out.

    `blend` averages overlaps instead of cutting them off.
    """

    core: int
    overlap: int
    cell_in: int
    cell_out: int
    blend: bool

    def run(self, part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """`part(x)` of float[B, C, H, W]; H and W are whole cells."""
        height, width = x.shape[2] // self.cell_in, x.shape[3] // self.cell_in
        shape = (height * self.cell_out, width * self.cell_out)
        out: Tensor | None = None
        total = torch.zeros(shape, device=x.device)
        for row in windows(height, self.core, self.overlap):
            for column in windows(width, self.core, self.overlap):
                y = part(x[:, :, _rows(row, self.cell_in), _rows(column, self.cell_in)])
                if out is None:
                    out = y.new_zeros(*y.shape[:2], *shape)
                if self.blend:
                    place = (_rows(row, self.cell_out), _rows(column, self.cell_out))
                    weight = torch.outer(_ramp(row, self.cell_out), _ramp(column, self.cell_out))
                    out[:, :, *place] += weight.to(y) * y
                    total[place] += weight.to(total)
                else:
                    place = (_core(row, self.cell_out), _core(column, self.cell_out))
                    inside = (_inside(row, self.cell_out), _inside(column, self.cell_out))
                    out[:, :, *place] = y[:, :, *inside]
        if out is None:
            raise ValueError(f"there is nothing to compute in a tensor of shape {list(x.shape)}")
        return out / total.to(out) if self.blend else out


def _rows(window: Window, cell: int) -> slice:
    return slice(window.start * cell, window.stop * cell)


def _core(window: Window, cell: int) -> slice:
    return slice(window.core_start * cell, window.core_stop * cell)


def _inside(window: Window, cell: int) -> slice:
    first = window.core_start - window.start
    return slice(first * cell, (first + window.core_stop - window.core_start) * cell)


def _ramp(window: Window, cell: int) -> Tensor:
    """float[rows]: 1 inside, falling linearly to 0 across each border between two cores."""
    size = (window.stop - window.start) * cell
    place = torch.arange(size) + 0.5
    ramp = torch.ones(size)
    before, after = window.core_start - window.start, window.stop - window.core_stop
    for distance, overlap in ((place, before), (size - place, after)):
        if overlap:
            ramp = torch.minimum(ramp, distance / (2 * overlap * cell))
    return ramp
