"""Whole files of every kind, small: what the fuzzer starts from."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageCms

from vae_corpus.pictures.decode import optional_formats


def seeds(target: str) -> Iterator[bytes]:
    yield from {"decode": pictures, "tar": tars, "parquet": tables}[target]()


def pictures() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(24) * 5, np.arange(33) * 3).astype(np.uint8)
    rgb = np.stack([smooth, smooth[::-1], rng.integers(0, 255, smooth.shape, np.uint8)], axis=2)
    colour, grey = Image.fromarray(rgb), Image.fromarray(smooth)
    alpha = colour.copy()
    alpha.putalpha(grey)
    wide = Image.fromarray(smooth.astype(np.uint16) * 257)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x112] = 6
    for image in (colour, grey, colour.convert("CMYK")):
        for options in ({}, {"progressive": True}, {"icc_profile": profile}, {"exif": exif}):
            yield _saved(image, "JPEG", **options)
    for image in (colour, grey, alpha, wide, colour.quantize(16), grey.convert("1")):
        yield _saved(image, "PNG")
    yield _saved(colour, "PNG", icc_profile=profile, exif=exif)
    for image in (colour, alpha):
        yield _saved(image, "WEBP", lossless=True)
        yield _saved(image, "WEBP", exif=exif, icc_profile=profile)
        yield _saved(image, "WEBP", save_all=True, append_images=[image.rotate(90)])
    yield _saved(colour.quantize(16), "GIF", transparency=3)
    yield _saved(grey, "GIF", save_all=True, append_images=[grey.rotate(180)])
    for image in (colour, grey, colour.quantize(16), grey.convert("1")):
        yield _saved(image, "BMP")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        for image in (colour, grey, alpha):
            if compression != "jpeg" or image is not alpha:
                yield _saved(image, "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield _saved(grey.convert("1"), "TIFF", compression=compression)
    yield _saved(wide, "TIFF", icc_profile=profile)
    yield _saved(colour, "TIFF", big_tiff=True)
    if "avif" in optional_formats():
        yield _saved(colour, "AVIF", speed=10)
        yield _saved(alpha, "AVIF", speed=10, exif=exif, icc_profile=profile)
    if "heic" in optional_formats():
        import pillow_heif

        yield _bytes(lambda file: pillow_heif.from_pillow(colour).save(file, format="HEIF"))
    if "jxl" in optional_formats():
        import pillow_jxl

        yield pillow_jxl.Encoder("RGB", lossless=True, quality=90)(
            colour.tobytes(), *colour.size, jpeg_encode=False
        )
    yield b"P6 2 2 255 " + bytes(12)
    yield b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def tars() -> Iterator[bytes]:
    jpeg = _saved(Image.new("L", (9, 9)), "JPEG", quality=20)
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        for way in range(15):
            yield bytes([way]) + _tar(form, jpeg)
    for way in range(15):
        yield bytes([way]) + _tar(tarfile.GNU_FORMAT, b"")[:1536]


def _tar(form: int, jpeg: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:

        def add(name: str, data: bytes = b"", **fields: Any) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))

        add("0.jpg", jpeg)
        add("0.json", b"{}")
        add("d", type=tarfile.DIRTYPE)
        add("d/1.jpg", jpeg)
        add("soft.jpg", type=tarfile.SYMTYPE, linkname="d/1.jpg")
        add("hard.jpg", type=tarfile.LNKTYPE, linkname="0.jpg")
        add("fifo.jpg", type=tarfile.FIFOTYPE)
        if form != tarfile.USTAR_FORMAT:
            add(f"{'long' * 40}.jpg", jpeg)
            add("\u4e2d.jpg", jpeg)
        if form == tarfile.PAX_FORMAT:
            add("p.jpg", jpeg, pax_headers={"comment": "x", "GNU.sparse.name": "y.jpg"})
            add("s.jpg", jpeg, pax_headers={"GNU.sparse.map": "0,9", "GNU.sparse.size": "99"})
        end = tar.offset
    return file.getvalue()[: end + 1024]


def tables() -> Iterator[bytes]:
    jpeg = _saved(Image.new("L", (9, 9)), "JPEG", quality=20)
    rows: list[bytes | None] = [jpeg, None, b"", b"http://x.example/a.jpg", jpeg]
    structs = [{"bytes": row, "path": f"{i}.jpg"} for i, row in enumerate(rows)]
    binary = pa.array(rows, pa.binary())
    for column in (binary, binary.cast(pa.large_binary()), binary.dictionary_encode()):
        yield _table({"image": column})
    yield _table({"image": pa.array(structs)})
    yield _table({"image": pa.array(structs), "text": pa.array(["a"] * 5)})
    yield _table({"image": binary, "n": pa.array(range(5))}, row_group_size=2)
    for codec in ("none", "gzip", "zstd", "lz4", "brotli"):
        yield _table({"image": binary}, compression=codec, use_dictionary=False)
    yield _table({"image": binary}, data_page_version="2.0", write_page_checksum=True)
    yield _table({"image": binary}, data_page_version="2.0", use_dictionary=False)
    yield _table({"image": pa.array([[1, 2], [3]], pa.list_(pa.int64()))})
    yield _table({"image": pa.array(["a.jpg", "b"]), "x": pa.array([[b"a"], None])})
    yield _table({"image": pa.array([b"abcd", None], pa.binary(4))})


def _table(columns: dict[str, pa.Array], **options: Any) -> bytes:
    return _bytes(lambda file: pq.write_table(pa.table(columns), file, **options))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    return _bytes(lambda file: image.save(file, form, **options))


def _bytes(write: Any) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()
