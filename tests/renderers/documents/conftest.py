"""A browser for the tests of a file, with a font in which every character is a frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fonts.charsets import ASCII_PRINTABLE
from renderers.documents.web.browser import Browser
from tests.tiny_font import CHINESE, write_font


@pytest.fixture(scope="session")
def font_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "frames.ttf", ASCII_PRINTABLE + CHINESE + "•é", family="Frames")
    return folder


@pytest.fixture(scope="module")
def chromium(font_folder: Path) -> Iterator[Browser]:
    browser = Browser(fonts=[font_folder])
    yield browser
    browser.close()
