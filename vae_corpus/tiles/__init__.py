"""Tiles of text: rectangles of one bucket's size, placed where the characters are."""

from vae_corpus.tiles.figures import with_figures
from vae_corpus.tiles.placing import Judged, Tile, draw_bucket, judge_tiles
from vae_corpus.tiles.strips import CELL_PX, INK_PX

__all__ = ["CELL_PX", "INK_PX", "Judged", "Tile", "draw_bucket", "judge_tiles", "with_figures"]
