"""Whether what a page says of its characters can be trusted, and which of them really show.

A text layer may lie: codes without meaning, letters shifted by one, words beside the page, words
that nothing shows. Then the page is taken for a picture, and its text is looked for in the pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderers.documents.ink import shown
from vae_corpus.characters import Characters

_UNMAPPED = "�"
# Wide tables run off pages; a text layer that is mostly beside its page is not of this page.
_LEAST_EM_PX = 2.5
_MOST_UNMAPPED, _MOST_OFF_PAGE, _MOST_UNSEEN = 0.02, 0.5, 0.1
# How often English has the letters from a to z, in per mille; other languages of Europe, and code,
# are near: on 744 pages of manuals 99 % have a cosine of .6 and more, shifted letters half below.
_LETTERS = np.array(
    (
        82,
        15,
        28,
        43,
        127,
        22,
        20,
        61,
        70,
        2,
        8,
        40,
        24,
        67,
        75,
        19,
        1,
        60,
        63,
        91,
        28,
        10,
        24,
        2,
        20,
        1,
    )
)
_ENOUGH_LETTERS, _LEAST_COSINE = 300, 0.6
# Han that neither GB2312 nor Big5 knows are rare in any text.
_ENOUGH_HAN, _MOST_RARE = 40, 0.3


def verified(characters: Characters, rgb: NDArray[np.uint8]) -> tuple[Characters, str | None]:
    """The characters that show, and a doubt: unmapped, off_page, unseen, implausible; or None."""
    inked = characters.inked
    count = int(inked.sum())
    if not count:
        return characters, None
    visible = shown(rgb, characters.boxes)
    height, width = rgb.shape[:2]
    middle = (characters.boxes[:, :2] + characters.boxes[:, 2:]) / 2
    on_page = np.all((middle >= 0) & (middle < (width, height)), axis=1)
    # What has no box stays: spaces, and text whose place nobody tells. Dust is no letter.
    legible = characters.em_px >= _LEAST_EM_PX
    kept = select(characters, ~inked | (visible & on_page & legible))
    off_page = float((~on_page[inked]).mean())
    unseen = float((~visible & on_page)[inked].mean())
    unmapped = sum(c == _UNMAPPED for c in characters.text) / count
    if unmapped > _MOST_UNMAPPED:
        return kept, "unmapped"
    if off_page > _MOST_OFF_PAGE:
        return kept, "off_page"
    if unseen > _MOST_UNSEEN:
        return kept, "unseen"
    return kept, None if is_plausible(kept.text) else "implausible"


def is_plausible(text: str) -> bool:
    """Whether this may be a text, and is not one whose codes were mapped to other characters."""
    points = np.frombuffer(text.lower().encode("latin-1", "replace"), np.uint8)
    letters = np.bincount(points, minlength=256)[ord("a") : ord("z") + 1].astype(np.float64)
    if letters.sum() >= _ENOUGH_LETTERS:
        cosine = letters @ _LETTERS / np.linalg.norm(letters) / np.linalg.norm(_LETTERS)
        if cosine < _LEAST_COSINE:
            return False
    han = [c for c in text if "一" <= c <= "鿿"]
    if len(han) >= _ENOUGH_HAN:
        rare = sum(not (_encodes(c, "gb2312") or _encodes(c, "big5")) for c in han)
        return rare <= _MOST_RARE * len(han)
    return True


def select(characters: Characters, keep: NDArray[np.bool_]) -> Characters:
    """Those of the characters for which `keep` bool[N] is true; lines are counted anew."""
    if keep.all():
        return characters
    text = "".join(c for c, stays in zip(characters.text, keep.tolist(), strict=True) if stays)
    _, line = np.unique(characters.line[keep], return_inverse=True)
    return replace(
        characters,
        text=text,
        boxes=characters.boxes[keep],
        em_px=characters.em_px[keep],
        line=line.astype(np.int32).reshape(-1),
        font=characters.font[keep],
    )


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
