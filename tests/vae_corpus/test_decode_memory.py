"""Decoding takes no more memory than is asked of the limits beforehand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.vae_corpus.decoding import saved, slug
from vae_corpus.pictures.decode import Limits, optional_formats

# The peak of a process only rises, so each picture has a process of its own. A small one goes
# before it, for which the libraries are loaded.
_MEASURE = """
import re, sys
from pathlib import Path
from vae_corpus.pictures.decode import Decoded, decode
def peak_bytes():
    # What `resource` tells begins with the peak of the process that started this one.
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
small, large = (open(path, "rb").read() for path in sys.argv[1:])
assert isinstance(decode(small), Decoded)
before = peak_bytes()
assert isinstance(decode(large), Decoded)
print(peak_bytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others have no /proc")
@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("TIFF", "RGBA"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
        pytest.param(
            "AVIF",
            "RGBA",
            marks=pytest.mark.skipif(
                "avif" not in optional_formats(), reason="Pillow without AVIF"
            ),
        ),
    ],
)
def test_what_a_picture_takes_is_known_before(tmp_path: Path, form: str, mode: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # upright, it is one copy more
    special: dict[str, dict[str, Any]] = {"GIF": {"transparency": 3}, "AVIF": {"speed": 10}}
    options = special.get(form, {"exif": exif})
    for side in (64, 2000):
        image = Image.new(mode, (side, side), {"P": 3, "LA": (9, 9)}.get(mode, (9, 9, 9, 9)))
        (tmp_path / str(side)).write_bytes(saved(image, form, **options))
    files = [str(tmp_path / "64"), str(tmp_path / "2000")]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *files], check=True, capture_output=True, text=True
    )
    taken = int(done.stdout)
    assert taken > 10 * 2000 * 2000
    data = (tmp_path / "2000").read_bytes()
    assert slug(data, Limits(max_bytes=taken)) == "too_much_memory"
