"""Which members of an archive are images: told by the extension, else by the first bytes."""

from __future__ import annotations

from collections.abc import Callable

from vae_corpus.pictures.decode import sniff

# Also formats that the door refuses: their images are listed, and rejected by name.
_IMAGES = (
    "jpg jpeg jpe jfif jif pjpeg pjp png apng webp gif bmp dib tif tiff avif heic heif hif jxl jp2"
    " j2k jpf jpx j2c psd psb svg ico cur qoi pbm pgm ppm pnm tga dds exr hdr dng cr2 cr3 nef arw"
    " orf rw2 raf"
)
IMAGE_EXTENSIONS = frozenset(_IMAGES.split())
# What lies beside images in tars that readers of WebDataset know: captions, labels, arrays, sound.
_SIDECARS = (
    "json jsonl jsn txt text transcript caption csv tsv xml html md yaml yml cls cls2 class count"
    " index inx idx id cbor msg mp msgpack pyd pickle pkl pth pt npy npz ten tb safetensors parquet"
    " mp3 wav flac ogg m4a aac opus mp4 mov avi mkv webm"
)
SIDECAR_EXTENSIONS = frozenset(_SIDECARS.split())
# As far as `sniff` looks.
HEAD_BYTES = 4096


def extension_of(name: str) -> str:
    """Lower case, without the dot; empty for a name without a dot, or with none but the first."""
    stem, _, extension = name.rpartition("/")[2].rpartition(".")
    return extension.lower() if stem else ""


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Whether a member must have a row: by its extension, or where that says nothing by its head.

    A member without an extension always has one: if it is no image, its row says so.
    """
    extension = extension_of(name)
    if not extension or extension in IMAGE_EXTENSIONS:
        return True
    return extension not in SIDECAR_EXTENSIONS and sniff(head()) is not None
