from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.layout import POINTS, differences, layout
from pipelines.planning.settings import PlanSettings
from tests.pictures import encoded, page, scene

LIMIT = PlanSettings().duplicate_layout_levels


def bytes_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.frombuffer(layout(rgb)["layout"], np.uint8)[None]


def apart(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    return float(differences(bytes_of(one), bytes_of(two))[0])


def form(name: str, total: str) -> NDArray[np.uint8]:
    """A page of print on which two things are filled in."""
    rgb = page(620, 800, 3)
    rgb[60:100, 40:500] = 255
    for y, text in ((75, f"Name: {name}"), (95, f"Total: {total}")):
        cv2.putText(rgb, text, (40, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return rgb


def decoded(data: bytes) -> NDArray[np.uint8]:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found[:, :, ::-1].astype(np.uint8)


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("ext", ["jpg", "webp"])
def test_a_re_encoding_has_the_same_layout(ext: str, quality: int) -> None:
    key = cv2.IMWRITE_JPEG_QUALITY if ext == "jpg" else cv2.IMWRITE_WEBP_QUALITY
    one = form("Northern Glass", "1,204.50")
    assert apart(one, decoded(encoded(one, ext, (key, quality)))) <= LIMIT


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5, 2.0])
def test_a_resized_page_has_the_same_layout(scale: float) -> None:
    one = form("Northern Glass", "1,204.50")
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    other = cv2.resize(one, None, fx=scale, fy=scale, interpolation=way).astype(np.uint8)
    assert apart(one, other) <= LIMIT


def test_margins_count_for_less_than_a_name() -> None:
    one = form("Northern Glass", "1,204.50")
    wide = cv2.copyMakeBorder(one, 6, 10, 8, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert 2 * apart(one, wide.astype(np.uint8)) < apart(one, form("Harbour Paper", "889.00"))


def test_another_name_and_sum_is_another_layout() -> None:
    names = [("Northern Glass", "1,204.50"), ("Harbour Paper", "889.00"), ("Silver Oak", "17.25")]
    pages = [form(*filled) for filled in names]
    assert all(apart(pages[i], pages[j]) > LIMIT for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("size", [(64, 64), (1, 90), (3000, 300)])
def test_any_size_has_a_layout(size: tuple[int, int]) -> None:
    assert len(layout(scene(*size))["layout"]) == POINTS**2


def test_photographs_have_none_unless_they_are_pages() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    photo = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    assert layout(photo, page=False)["layout"] is None
    assert layout(photo, page=True)["layout"] is not None
    assert layout(form("Northern Glass", "1,204.50"), page=False)["layout"] is not None


def test_blank_paper_has_a_layout() -> None:
    assert set(layout(np.full((300, 200, 3), 255, np.uint8))["layout"]) == {128}
