"""PDF pages that are hostile in what they draw: nested, endless, gigantic, broken inside."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hostile_set.case import (
    BROKEN,
    RENDERED,
    TOO_MUCH,
    Hostile,
    line,
    page,
    repeated,
    stream,
    zeros,
)

_FORM = "/Type/XObject/Subtype/Form/BBox[0 0 300 200]"
_FLATE = "/Filter/FlateDecode"
_DRAW = "1 0 0 1 0 0 cm /X Do "
_SQUARE = "9 9 9 9 re f "
_ANY = RENDERED | TOO_MUCH


def cases() -> Iterator[Hostile]:
    for name, data, fates in (*_nested(), *_endless(), *_images(), *_fonts()):
        yield Hostile(name=name, suffix=".pdf", data=data, fates=fates | BROKEN)


_Rows = Iterator[tuple[str, bytes, frozenset[str]]]


def _tower(levels: int, breadth: int, entries: str = "", extra: str = "") -> list[bytes]:
    """Forms from object 5 on, each of which draws the next `breadth` times."""
    forms = [
        stream(_DRAW * breadth, f"{_FORM}{entries}/Resources<</XObject<</X {n + 6} 0 R>>{extra}>>")
        for n in range(levels)
    ]
    return [*forms, stream(_SQUARE, _FORM)]


def _nested() -> _Rows:
    first = "/XObject<</X 5 0 R>>"
    yield "forms_10_to_the_9", page(_DRAW, *_tower(9, 10), resources=first), _ANY
    yield "forms_3_to_the_20", page(_DRAW, *_tower(20, 3), resources=first), _ANY
    yield "forms_2000_deep", page(_DRAW, *_tower(2000, 1), resources=first), _ANY
    itself = stream(_DRAW * 2 + _SQUARE, f"{_FORM}/Resources<<{first}>>")
    yield "a_form_that_draws_itself", page(_DRAW, itself, resources=first), _ANY
    group = "/Group<</S/Transparency/I true/K true>>"
    gs = "/ExtGState<</G<</ca .5/BM/Luminosity>>>>"
    deep = [b.replace(b"stream\n1 0", b"stream\n/G gs 1 0") for b in _tower(60, 1, group, gs)]
    wide = [b.replace(b"stream\n1 0", b"stream\n/G gs 1 0") for b in _tower(14, 2, group, gs)]
    fix = [_relength(b) for b in deep]
    yield "groups_60_deep", page(_DRAW, *fix, resources=first, box="0 0 3000 3000"), _ANY
    yield "groups_2_to_the_14", page(_DRAW, *map(_relength, wide), resources=first), _ANY
    masks = [
        stream(
            "/G gs 0 0 300 200 re f ",
            f"{_FORM}{group}/Resources<</ExtGState<</G<</SMask<</S/Luminosity/G {n + 6} 0 R>>"
            ">>>>>>",
        )
        for n in range(200)
    ]
    state = "/ExtGState<</G<</SMask<</S/Luminosity/G 5 0 R>>>>>>"
    content = "/G gs 0 0 300 200 re f "
    yield (
        "masks_200_deep",
        page(content, *masks, stream(_SQUARE, _FORM + group), resources=state),
        _ANY,
    )
    own = stream(content, f"{_FORM}{group}/Resources<<{state}>>")
    yield "a_mask_that_masks_itself", page(content, own, resources=state), RENDERED
    pattern = "/Pattern<</P 5 0 R>>"
    paint = "/Pattern cs /P scn 0 0 300 200 re f "
    tile = "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 {0} {0}]/XStep {0}/YStep {0}"
    fine = stream("0 0 1 1 re f ", tile.format(".01") + "/Resources<<>>")
    yield "a_pattern_of_tiny_tiles", page(paint, fine, resources=pattern), _ANY
    own = stream(paint, tile.format("50") + f"/Resources<<{pattern}>>")
    yield "a_pattern_made_of_itself", page(paint, own, resources=pattern), _ANY
    tiles = [
        stream(paint, tile.format("20") + f"/Resources<</Pattern<</P {n + 6} 0 R>>>>")
        for n in range(8)
    ]
    last = stream(_SQUARE, tile.format("20") + "/Resources<<>>")
    yield "patterns_8_deep", page(paint, *tiles, last, resources=pattern), _ANY
    yield "states_a_million_deep", page(repeated(b"q " * 50_000, 20), content_entries=_FLATE), _ANY
    clip = b"q 0 0 m 300 0 l 300 200 l 0 200 l h W n "
    yield "clips_100000_deep", page(repeated(clip * 1000, 100), content_entries=_FLATE), _ANY


def _relength(form: bytes) -> bytes:
    """The same stream with its length set right."""
    head, rest = form.split(b"\nstream\n", 1)
    body = rest.removesuffix(b"\nendstream")
    entries = head.split(b"/Type", 1)[1]
    return b"<</Length %d/Type%b\nstream\n%b\nendstream" % (len(body), entries, body)


def _endless() -> _Rows:
    yield "a_line_of_fine_dashes", page("[.00001] 0 d 1 w 0 0 m 300 200 l S "), _ANY
    yield "a_long_line_of_dashes", page("[1] 0 d 1 w 0 0 m 1000000000 0 l S "), _ANY
    curve = b"".join(
        b"%d %d %d %d %d %d c " % (n, 200 - n, 300 - n, n, n * 2, n) for n in range(99)
    )
    path = b"0 0 m " + curve * 1000 + b"f* "
    yield "a_path_of_100000_curves", page(repeated(path, 1), content_entries=_FLATE), _ANY
    yield "100_paths_of_100000_curves", page(repeated(path, 100), content_entries=_FLATE), _ANY
    wide = b"99999 w 1 j 0 0 m " + curve * 100 + b"S "
    yield "wide_strokes", page(repeated(wide, 100), content_entries=_FLATE), _ANY
    text = line("Hello").encode()
    yield "2_million_letters", page(repeated(text * 1000, 400), content_entries=_FLATE), _ANY
    program = "{ " + "dup mul " * 5000 + "pop pop 0 0 0 }"
    function = stream(program, "/FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1]")
    plain = "/Shading<</S<</ShadingType 1/ColorSpace/DeviceRGB/Function 5 0 R"
    shading = f"{plain}/Matrix[3000 0 0 3000 0 0]>>>>"
    yield (
        "a_shading_of_a_program",
        page("/S sh ", function, resources=shading, box="0 0 3000 3000"),
        _ANY,
    )
    vertex = struct.pack(">B6H", 0, 0, 0, 65535, 65535, 0, 0)[:10]
    mesh = stream(
        repeated(vertex * 30_000, 30),
        "/ShadingType 4/ColorSpace/DeviceRGB/BitsPerCoordinate 16/BitsPerComponent 8/BitsPerFlag 8"
        f"/Decode[0 300 0 200 0 1 0 1 0 1]{_FLATE}",
    )
    yield "a_mesh_of_300000_triangles", page("/S sh ", mesh, resources="/Shading<</S 5 0 R>>"), _ANY
    radial = "/Shading<</S<</ShadingType 3/ColorSpace/DeviceGray/Coords[0 0 0 1e-9 0 1e9]"
    ramp = "/Function<</FunctionType 2/Domain[0 1]/N 1e9>>/Extend[true true]>>>>"
    yield "a_shading_of_extremes", page("/S sh ", resources=radial + ramp), _ANY
    parts = "/FunctionType 3/Domain[0 1]/Bounds[]/Encode[0 1]/Functions[5 0 R]"
    loop = radial + "/Function 5 0 R>>>>"
    yield "a_function_of_itself", page("/S sh ", f"<<{parts}>>", resources=loop), RENDERED


def _image(entries: str, data: bytes, content: str = "300 0 0 200 0 0 cm /X Do ") -> bytes:
    body = stream(data, f"/Type/XObject/Subtype/Image{entries}")
    return page(content, body, resources="/XObject<</X 5 0 R>>")


def _images() -> _Rows:
    gray = "/Width {0}/Height {0}/BitsPerComponent {1}/ColorSpace/Device{2}"
    yield "an_image_of_900_mb", _image(gray.format(30_000, 8, "Gray") + _FLATE, zeros(900)), _ANY
    yield "an_image_of_7_gb", _image(gray.format(30_000, 16, "CMYK") + _FLATE, zeros(7000)), _ANY
    huge = gray.format(2_000_000_000, 8, "Gray")
    yield "an_image_of_2_to_the_31", _image(huge + _FLATE, zeros(1)), _ANY
    yield "an_image_without_data", _image(gray.format(60_000, 1, "Gray"), b""), _ANY
    # JBIG2: a page of 60000 x 60000, and nothing on it.
    info = struct.pack(">IIIIBH", 60_000, 60_000, 0, 0, 0, 0)
    segment = struct.pack(">IBBBI", 0, 48, 0, 1, len(info)) + info
    yield (
        "jbig2_of_60000",
        _image(gray.format(60_000, 1, "Gray") + "/Filter/JBIG2Decode", segment),
        _ANY,
    )
    fax = "/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 60000/Rows 60000>>"
    yield "fax_of_60000", _image(gray.format(60_000, 1, "Gray") + fax, b"\x80" * 60_000), _ANY
    jpeg = bytes.fromhex("ffd8ffc0000b08ffdcffdc01011100ffda0008010100003f00") + bytes(9999)
    yield "jpeg_of_65500", _image(gray.format(65_500, 8, "Gray") + "/Filter/DCTDecode", jpeg), _ANY
    yield "jpeg_2000_of_2_to_the_31", _image("/Filter/JPXDecode", _jpeg_2000()), _ANY
    indexed = "/Width 9/Height 9/BitsPerComponent 8/ColorSpace 6 0 R"
    spaces = ["[/Indexed 6 0 R 255 <00>]"]
    body = stream(bytes(81), f"/Type/XObject/Subtype/Image{indexed}")
    data = page("/X Do ", body, *spaces, resources="/XObject<</X 5 0 R>>")
    yield "a_colour_space_of_itself", data, RENDERED
    mask = "/SMask 5 0 R" + gray.format(2000, 8, "Gray")
    yield "an_image_that_masks_itself", _image(mask + _FLATE, zeros(4)), RENDERED
    many = "300 0 0 200 0 0 cm /X Do " + "1 0 0 1 0 0 cm /X Do " * 2000
    big = gray.format(4000, 8, "Gray") + _FLATE
    yield "a_large_image_2000_times", _image(big, zeros(16), many), _ANY
    inline = b"BI /W 30000 /H 30000 /BPC 8 /CS /G /F /Fl ID " + zeros(900) + b" EI "
    yield "an_inline_image_of_900_mb", page(inline), _ANY


def _jpeg_2000() -> bytes:
    side = 0x7FFFFFFF
    size = struct.pack(">HIIIIIIIIHBBB", 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    code = bytes.fromhex("ff52000c00000001000505040400")
    quantum = bytes.fromhex("ff5c0013") + b"\x40" + bytes(16)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + code + quantum


def _fonts() -> _Rows:
    show = "BT /T 20 Tf 20 100 Td (aaaa) Tj ET "
    three = (
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 97"
        "/LastChar 97/Widths[1]/Encoding<</Differences[97/a]>>/CharProcs<</a {0} 0 R>>"
        "/Resources<</Font<</T {1} 0 R>>>>>>"
    )
    proc = stream("1 0 d0 BT /T 1 Tf (aaaaaaaaaa) Tj ET ")
    yield (
        "a_font_that_writes_itself",
        page(show, three.format(6, 5), proc, resources="/Font<</T 5 0 R>>"),
        RENDERED,
    )
    fonts: list[str | bytes] = []
    for level in range(9):
        fonts += [three.format(6 + 2 * level, 7 + 2 * level), proc]
    fonts += [three.format(24, 5), stream("1 0 d0 0 0 1 1 re f ")]
    yield "fonts_10_to_the_9", page(show, *fonts, resources="/Font<</T 5 0 R>>"), _ANY
    for name, data in {
        "a_font_of_garbage": bytes(n * 37 % 256 for n in range(5000)),
        "a_font_of_zeros": bytes(5000),
        "a_font_of_65535_tables": b"\0\1\0\0\xff\xff"
        + b"glyf\0\0\0\0\0\0\0\x0c\xff\xff\xff\xff" * 999,
        "a_font_cut_off": _composite()[:700],
        "glyphs_of_10_to_the_9_parts": _composite(),
    }.items():
        font = "<</Type/Font/Subtype/TrueType/BaseFont/Bad/FirstChar 97/LastChar 97/Widths[600]"
        font += "/FontDescriptor<</Type/FontDescriptor/FontName/Bad/Flags 32/FontFile2 6 0 R>>>>"
        file = stream(data, f"/Length1 {len(data)}")
        yield name, page(show, font, file, resources="/Font<</T 5 0 R>>"), _ANY
    ranges = "1 begincodespacerange <0000><ffff> endcodespacerange "
    ranges += "100 beginbfrange " + "<0000><ffff><0020> " * 100 + "endbfrange "
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    cmap = stream(repeated(ranges.encode(), 20_000), _FLATE)
    yield (
        "a_map_of_10_to_the_11_characters",
        page(show, font, cmap, resources="/Font<</T 5 0 R>>"),
        _ANY,
    )


def _composite() -> bytes:
    """A TrueType font whose `a` is made of ten glyphs, each of ten, nine levels deep."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 500), (500, 500), (500, 0)):
        pen.lineTo(point)
    pen.closePath()
    glyphs = {".notdef": pen.glyph()}
    for level in range(1, 10):
        pen = TTGlyphPen(glyphs)
        for part in range(10):
            below = ".notdef" if level == 1 else f"g{level - 1}"
            pen.addComponent(below, (1, 0, 0, 1, part, level))
        glyphs[f"g{level}"] = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({97: "g9"})
    # Their bounds would be worked out part by part.
    builder.font.recalcBBoxes = False
    for glyph in glyphs.values():
        glyph.xMin = glyph.yMin = 0
        glyph.xMax = glyph.yMax = 500
    builder.setupGlyf(glyphs, calcGlyphBounds=False)
    builder.setupHorizontalMetrics({name: (600, 0) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2()
    builder.setupPost()
    return _saved(builder.font)


def _saved(font: object) -> bytes:
    import io

    whole = io.BytesIO()
    font.save(whole)  # type: ignore[attr-defined]
    return whole.getvalue()
