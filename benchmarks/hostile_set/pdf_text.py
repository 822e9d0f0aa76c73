"""PDF pages whose text is not what they show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hostile_set.case import BROKEN, RENDERED, UNTRUSTED, Hostile, line, page, stream

_MAY = RENDERED | UNTRUSTED | BROKEN
_IMAGE = "/Type/XObject/Subtype/Image/Width 300/Height 200/BitsPerComponent 8/ColorSpace/DeviceGray"
_SCAN = "q 300 0 0 200 0 0 cm /X Do Q "
_OVER = "/XObject<</X 5 0 R>>"


def cases() -> Iterator[Hostile]:
    for name, data, shows in (*_unseen(), *_misspelt()):
        yield Hostile(name=name, suffix=".pdf", data=data, fates=_MAY, says=shows)


def _scan() -> bytes:
    """A picture with some strokes that could be letters."""
    pixels = np.full((200, 300), 250, np.uint8)
    for n in range(20, 280, 12):
        pixels[90 : 100 + n % 7, n : n + 2] = pixels[90:92, n : n + 7] = 20
    return stream(pixels.tobytes(), _IMAGE)


def _unseen() -> Iterator[tuple[str, bytes, str]]:
    hidden = line("Nobody sees this", before="3 Tr")
    yield "invisible_over_a_scan", page(_SCAN + hidden, _scan(), resources=_OVER), ""
    under = line("Nobody sees this") + _SCAN
    yield "under_a_picture", page(under, _scan(), resources=_OVER), ""
    yield "white_on_white", page("1 g " + line("Nobody sees this")), ""
    yield "beside_the_page", page(line("Nobody sees this", at=(900, 900))), ""
    yield "clipped_away", page("0 0 1 1 re W n " + line("Nobody sees this")), ""
    yield (
        "transparent",
        page("/G gs " + line("Nobody sees this"), resources="/ExtGState<</G<</ca 0/CA 0>>>>"),
        "",
    )
    yield "as_small_as_dust", page("q .001 0 0 .001 0 0 cm " + line("Nobody sees this") + "Q "), ""
    yield "of_no_width", page(line("Nobody sees this", before="0 Tz")), ""
    covered = line("Nobody sees this") + "1 g 0 0 300 200 re f 0 g " + line("Seen", at=(20, 20))
    yield "under_a_white_sheet", page(covered), "Seen"
    layer = "/OCProperties<</OCGs[5 0 R]/D<</OFF[5 0 R]>>>>"
    content = "/OC /L BDC " + line("Nobody sees this") + "EMC " + line("Seen", at=(20, 20))
    yield (
        "in_a_layer_that_is_off",
        page(
            content, "<</Type/OCG/Name(x)>>", resources="/Properties<</L 5 0 R>>", catalogue=layer
        ),
        "Seen",
    )
    twice = line("Seen") + line("Seen", before="3 Tr")
    yield "twice_once_invisible", page(twice), "Seen"
    bold = line("Seen") + line("Seen").replace("20 100", "20.3 100")
    yield "twice_for_bold", page(bold), "Seen"
    spoken = "/Span<</ActualText(Something else)>>BDC " + line("Seen") + "EMC "
    yield "said_to_be_something_else", page(spoken), "Seen"


def _misspelt() -> Iterator[tuple[str, bytes, str]]:
    shown = "BT /T 20 Tf 20 100 Td (Hello) Tj ET "
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    own = "/Font<</T 5 0 R>>"
    head = "1 begincodespacerange <00><ff> endcodespacerange 1 beginbfrange "
    for name, ranges in {
        "each_letter_the_next": "<20><7e><0021>",
        "each_letter_unknown": "<20><7e>[" + "<fffd>" * 95 + "]",
        "each_letter_private": "<20><7e><e020>",
        "each_letter_a_space": "<20><7e>[" + "<0020>" * 95 + "]",
        "each_letter_chinese": "<20><7e><4e00>",
    }.items():
        cmap = stream(f"{head}{ranges} endbfrange ")
        yield name, page(shown, font, cmap, resources=own), "Hello"
    bars = "".join(f"/g{n} {6 + n} 0 R" for n in range(5))
    names = "".join(f"/g{n}" for n in range(5))
    three = (
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 1"
        f"/LastChar 5/Widths[1 1 1 1 1]/Encoding<</Differences[1{names}]>>/CharProcs<<{bars}>>>>"
    )
    drawn = [stream(f"1 0 d0 0 0 .1 .7 re .3 .{n + 1} .5 .1 re f ") for n in range(5)]
    codes = "BT /T 20 Tf 20 100 Td <0102030405> Tj ET "
    yield "letters_without_names", page(codes, three, *drawn, resources=own), ""
    differ = "/Encoding<</Differences[72/Q/X/Z 101/w 108/k 111/u]>>"
    # What is drawn follows the names here, so the text does as well: nothing is wrong.
    plain = f"<</Type/Font/Subtype/Type1/BaseFont/Helvetica{differ}>>"
    yield "letters_of_other_codes", page(shown, plain, resources=own), "Qwkku"
