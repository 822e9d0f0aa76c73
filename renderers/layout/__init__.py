"""The kinds of pages, by name."""

from __future__ import annotations

from renderers.layout import (
    article,
    captions,
    code,
    form,
    numbers,
    paragraph,
    poster,
    receipt,
    slide,
    table,
    vertical,
)
from renderers.layout.base import Layout

LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (
        paragraph,
        article,
        slide,
        table,
        form,
        receipt,
        vertical,
        poster,
        code,
        captions,
        numbers,
    )
}
