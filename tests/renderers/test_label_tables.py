"""Labels of all kinds of pages fit one table: flat and tilted, with and without headings."""

from __future__ import annotations

import tarfile
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.json
import pytest

from renderers import synth_text
from renderers.layout import LAYOUTS
from tests.pictures import scene
from tests.tiny_font import write_font

PROSE = "The rain had stopped by noon, and the roofs of the old mill were steaming.\n\n"


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Flat pages of all layouts, and tilted ones with effects."""
    folder = tmp_path_factory.mktemp("pages")
    write_font(folder / "a.ttf")
    cv2.imwrite(str(folder / "a.png"), scene(300, 280))
    (folder / "text.txt").write_text(PROSE * 3, encoding="utf-8")
    layouts = [name for name, layout in LAYOUTS.items() if "en" in layout.languages]
    given = [
        *("--lang", "en", "--canvas", "200", "--count", "24", "--layout", *layouts),
        *("--fonts", str(folder / "a.ttf"), "--backgrounds", str(folder / "a.png")),
        *("--texts", str(folder / "text.txt"), "--format", "jpg"),
    ]
    extras = ["--tilt_degrees", "5", "--shadow", "0.5", "--camera", "0.5"]
    out = [folder / "flat.tar", folder / "tilted.tar"]
    assert synth_text.main([*given, "--out", str(out[0])]) == 0
    assert synth_text.main([*given, *extras, "--out", str(out[1])]) == 0
    return out


def _labels(path: Path) -> list[bytes]:
    with tarfile.open(path) as tar:
        files = [tar.extractfile(m) for m in tar.getmembers() if m.name.endswith(".json")]
        return [file.read() for file in files if file]


def test_pyarrow_reads_labels_into_one_schema(tars: list[Path]) -> None:
    labels = [label for path in tars for label in _labels(path)]
    alone = {pa.json.read_json(BytesIO(label)).schema for label in labels}
    table = pa.json.read_json(
        BytesIO(b"\n".join(labels)), pa.json.ReadOptions(block_size=max(map(len, labels)) + 1)
    )
    assert len(table) == len(labels) == 48
    assert alone == {table.schema}
    line = table.schema.field("lines").type.value_type
    assert line.field("text").type == pa.string()
    assert line.field("boxes").type == pa.list_(pa.list_(pa.int64()))
    for lines in table["lines"].to_pylist():
        assert all(len(one["boxes"]) == len(one["text"]) for one in lines)


def test_datasets_reads_the_tars_together(tars: list[Path], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

        datasets.disable_progress_bars()
        loaded = datasets.load_dataset(
            "webdataset", data_files=[*map(str, tars)], split="train", cache_dir=str(tmp_path)
        )
        labels = loaded["json"][:]
    assert len(labels) == 48
    assert all(len(one["boxes"]) == len(one["text"]) for label in labels for one in label["lines"])
