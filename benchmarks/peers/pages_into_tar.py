"""A checkout of this project, today's or an older one: pages with their labels into a tar.

    PYTHONPATH=CHECKOUT python pages_into_tar.py

Each line that comes in is JSON: language, format ("none": pages and labels, nothing is encoded).
What goes out: pages, characters with ink and CPU seconds. Of the checkout it needs only Job, Maker,
BLOCK and BACKGROUNDS of `renderers.batch`: versions with other insides can be compared.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import time
from functools import cache
from typing import Any

import cv2
import numpy as np

from renderers import batch
from vae_corpus.demo import demo_inputs

SIDE, PAGES = 512, 256
BANDS = ("5-7", "8-10", "11-14", "15-20")

encode = batch.encode


def no_encode(*_: Any) -> bytes:
    return b""


@cache
def maker(language: str, ext: str) -> batch.Maker:
    demo = demo_inputs()
    return batch.Maker(
        batch.Job(
            language=language,
            bands=BANDS,
            layouts=(),
            canvas=SIDE,
            count=PAGES,
            seed=0,
            ext=ext,
            backgrounds=tuple(demo.photos) if ext != "none" else grey,
            fonts=tuple(demo.fonts),
            texts=((language, tuple(demo.texts[language])),),
        )
    )


def grey(rng: np.random.Generator, width: int, height: int) -> tuple[str, Any]:
    noise = rng.integers(96, 160, (height, width, 3), dtype=np.uint8)
    return "grey", cv2.GaussianBlur(noise, (0, 0), 3)


def write(language: str, ext: str) -> tuple[int, int]:
    batch.encode = no_encode if ext == "none" else encode
    tasks = range(PAGES // batch.BLOCK * batch.BACKGROUNDS)
    pages = characters = 0
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar:
        for task in tasks:
            for page in maker(language, ext).make(task).pages:
                for suffix, data in ((ext, page.picture), ("json", page.label)):
                    info = tarfile.TarInfo(f"{page.name}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                pages += 1
                characters += page.characters
    return pages, characters


for request in iter(sys.stdin.readline, ""):
    began = time.process_time()
    answer = write(*json.loads(request))
    print(json.dumps([*answer, time.process_time() - began]), flush=True)
