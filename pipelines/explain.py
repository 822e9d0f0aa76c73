"""Say what became of one image of a corpus, or of all that one reason left out.

Run it as `python pipelines/explain.py CORPUS KEY`, or `vae-corpus explain CORPUS KEY`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import Field

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pipelines.report.console import Console  # noqa: E402
from pipelines.sources.originals import fetch_original  # noqa: E402
from pipelines.stories.corpus import (  # noqa: E402
    Corpus,
    Row,
    StoryError,
    find_images,
    find_synthetic,
    near,
    open_corpus,
    split_key,
    stored_samples,
)
from pipelines.stories.image import Section, shard_path, tell_image, tell_synthetic  # noqa: E402
from pipelines.stories.reason import KNOWN, slugs, tell_slug  # noqa: E402
from pipelines.stories.twins import place  # noqa: E402
from vae_corpus import settings, storage  # noqa: E402
from vae_corpus.settings import Settings  # noqa: E402

_DESCRIPTION = """\
Say what became of an image: where it was read, its scores beside every rule and the threshold in
force, its twin, rank, rung and tiles, where it is stored and which phases will show it.

WHAT is the key of an image, of a tile (KEY-x256y0) or of synthetic text, or a path: the file, the
member of a tar, or the end of either. Or it is a slug such as blurred: then how many images it
left out, which, what setting decides and what the nearest other value would change.
"""
_EPILOG = """\
examples:
  explain corpus photos-0123456789abcdef
  explain corpus holiday/0042.jpg --open /tmp/look
  explain s3://bucket/corpus near_duplicate

exit code: 0 when there is something to tell, 1 when nothing of that name is found
"""
_LISTED = 10


class ExplainSettings(Settings):
    """What to tell of which corpus."""

    corpus: str = Field(description="folder or URL of a corpus")
    what: str = Field(description="key, path or slug")
    open: str | None = Field(
        None, description="folder to write the picture into: as stored, or from the source if not"
    )


def main(argv: Sequence[str] | None = None) -> int:
    asked = settings.load(
        ExplainSettings,
        argv,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        positional=("corpus", "what"),
    )
    console = Console()
    try:
        for title, lines in _explain(asked, console):
            for i, line in enumerate(lines):
                console.say(f"{title if i == 0 else '':<12}{line}")
    except StoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (RuntimeError, OSError, ImportError, duckdb.Error, pa.ArrowException) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _explain(asked: ExplainSettings, console: Console) -> list[Section]:
    corpus, what = open_corpus(asked.corpus), asked.what
    images = find_images(corpus, what)
    if images:
        row, (_, tile) = images[0], split_key(what) or (what, None)
        if len({r["key"] for r in images}) > 1:
            return [("found", _several(what, images))]
        told = tell_image(corpus, row, tile)
        if asked.open is not None:
            told.append(("written", _write_image(corpus, row, what, tile, asked.open)))
        return told
    sample = find_synthetic(corpus, what) if split_key(what) else None
    if sample is not None:
        told = tell_synthetic(corpus, sample)
        if asked.open is not None:
            told.append(("written", [_write_stored(corpus, sample, asked.open)]))
        return told
    known = slugs(corpus)
    if what in known:
        return tell_slug(corpus, what, *known[what])
    if what in KNOWN:
        return [("slug", [f"{what}: no image of this corpus was left out as that"])]
    raise StoryError(_not_found(corpus, what, list(known)))


def _not_found(corpus: Corpus, what: str, known: list[str]) -> str:
    said = f"nothing in {corpus.root} has the key, path or slug {what}."
    if storage.is_local(what) and Path(what).exists():
        said += (
            " The file is there, but no source of the corpus listed it: it is hidden, left out by"
            " include or exclude, outside of the sources, or newer than the build."
        )
    close = near(corpus, what, {*known, *KNOWN})
    if close:
        said += f" Near it: {', '.join(close)}."
    return said + f" Slugs are: {', '.join(sorted(known)) or 'none'}."


def _several(what: str, images: list[Row]) -> list[str]:
    lines = [f"{what} names {len(images)} images or more; ask for one of them by its key:"]
    for row in images[:_LISTED]:
        fate = row["fate"] if row["fate"] == "selected" else f"{row['fate']} as {row['slug']}"
        lines.append(f"  {row['key']}  {fate}  {place(row)}")
    return lines


def _write_image(
    corpus: Corpus, row: Row, what: str, tile: tuple[int, int] | None, folder: str
) -> list[str]:
    """The samples of a kept image as they are stored, or the bytes of the source."""
    if row["fate"] == "selected":
        samples = stored_samples(corpus, row)
        wanted = [s for s in samples if tile is None or s["key"] == what]
        if wanted:
            return [_write_stored(corpus, sample, folder) for sample in wanted]
    source = corpus.sources()[row["source"]]
    data = fetch_original(row, {source.name: source})
    if not data:
        return ["nothing: the source has no bytes for it"]
    extension = row["format"] or row["member"].rpartition(".")[2] or "bin"
    if source.type == "documents":
        extension = "png"
    return [_write(folder, f"{row['key']}.{extension}", data)]


def _write_stored(corpus: Corpus, sample: Row, folder: str) -> str:
    data = storage.read_bytes(shard_path(corpus, sample), sample["offset"], sample["bytes"])
    return _write(folder, f"{sample['key']}.{sample['ext']}", data)


def _write(folder: str, name: str, data: bytes) -> str:
    path = storage.join(folder, name)
    storage.commit_bytes(path, data)
    return path


if __name__ == "__main__":
    sys.exit(settings.run(main))
