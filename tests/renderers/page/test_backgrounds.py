from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers.page.backgrounds import Backgrounds, NoBackground
from tests.pictures import scene


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A tar with pictures of 60, 70 and 80 px, and a label."""
    with tarfile.open(tmp_path / "general-000000.tar", "w") as tar:
        for side in (60, 70, 80):
            file = tmp_path / f"a-{side}.png"
            cv2.imwrite(str(file), scene(side, side)[:, :, ::-1])
            tar.add(file, f"a-{side}.png")
            file.unlink()
        (tmp_path / "a-60.json").write_text("{}")
        tar.add(tmp_path / "a-60.json", "a-60.json")
    return tmp_path / "general-000000.tar"


def test_pictures_come_out_of_a_shard(shard: Path) -> None:
    seen = {
        path.name: picture
        for seed in range(20)
        for path, picture in [Backgrounds([shard]).sample(np.random.default_rng(seed), 65, 65)]
    }
    assert sorted(seen) == ["a-70.png", "a-80.png"]
    assert np.array_equal(seen["a-70.png"], scene(70, 70))


def test_the_path_of_a_drawn_picture_finds_it_again(shard: Path) -> None:
    path, picture = Backgrounds([shard.parent]).sample(np.random.default_rng(0), 10, 10)
    assert path.parent == shard
    again, same = Backgrounds([path]).sample(np.random.default_rng(5), 10, 10)
    assert again == path and np.array_equal(picture, same)


def test_a_folder_gives_files_and_shards(shard: Path) -> None:
    cv2.imwrite(str(shard.parent / "b.jpg"), scene(90, 90))
    drawn = {
        Backgrounds([shard.parent]).sample(np.random.default_rng(seed), 10, 10)[0].name
        for seed in range(40)
    }
    assert drawn == {"a-60.png", "a-70.png", "a-80.png", "b.jpg"}


def test_what_cannot_be_used_is_named(shard: Path) -> None:
    with pytest.raises(NoBackground, match="no such picture or folder: .*a-99.png"):
        Backgrounds([shard / "a-99.png"])
    with pytest.raises(NoBackground, match="none of 3 pictures is 100x100 px"):
        Backgrounds([shard]).sample(np.random.default_rng(0), 100, 100)
    broken = shard.with_name("broken.tar")
    broken.write_bytes(b"not a tar" * 100)
    with pytest.raises(NoBackground, match="cannot read the shard .*broken.tar"):
        Backgrounds([broken])
    with tarfile.open(shard.with_name("empty.tar"), "w"):
        pass
    with pytest.raises(NoBackground, match="no picture in .*empty.tar"):
        Backgrounds([shard.with_name("empty.tar")])
