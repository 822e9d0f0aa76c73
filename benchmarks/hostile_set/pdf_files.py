"""PDF files that are hostile as files: their bytes, their tree, what they want to be done."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from hostile_set.case import (
    BROKEN,
    EMPTY,
    LOCKED,
    RENDERED,
    TOO_LARGE,
    TOO_MUCH,
    Hostile,
    line,
    page,
    pdf,
    repeated,
    stream,
)

HELLO = line("Hello")
_PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>"


def cases() -> Iterator[Hostile]:
    for name, data, fates in (
        *_bytes(),
        *_trees(),
        *_boxes(),
        *_references(),
        *_wishes(),
    ):
        yield Hostile(name=name, suffix=".pdf", data=data, fates=fates, says="Hello")
    yield Hostile(
        name="content_of_another_file",
        suffix=".pdf",
        data=page(HELLO, content_entries="/F(/etc/passwd)/FFilter/FlateDecode"),
        fates=RENDERED | BROKEN,
        secret="root:",
    )


_Rows = Iterator[tuple[str, bytes, frozenset[str]]]


def _bytes() -> _Rows:
    good = page(HELLO)
    yield "empty", b"", EMPTY
    yield "garbage", bytes((n * 193 + n // 7) % 256 for n in range(20_000)), BROKEN
    yield "header_alone", b"%PDF-1.7\n", BROKEN
    yield "truncated", good[: len(good) // 2], BROKEN | RENDERED
    yield "no_table_of_objects", good[: good.rindex(b"xref\n0")], BROKEN | RENDERED
    yield "html_named_pdf", b"<!DOCTYPE html><title>x</title><p>no PDF", BROKEN
    picture = io.BytesIO()
    Image.new("RGB", (300, 200)).save(picture, "png")
    yield "png_named_pdf", picture.getvalue(), BROKEN
    lock = "/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{0}>/U<{0}>>>/ID[<{1}><{1}>]"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        _PAGE,
    ]
    yield "locked", pdf(objects, lock.format("ab" * 32, "cd" * 16)), LOCKED
    unknown = "/Encrypt<</Filter/Nobodys/V 9>>/ID[<00><00>]"
    yield "locked_in_an_unknown_way", pdf(objects, unknown), LOCKED | BROKEN


def _trees() -> _Rows:
    catalogue = "<</Type/Catalog/Pages 2 0 R>>"
    million = "<</Type/Pages/Kids[3 0 R]/Count 1000000>>"
    yield "a_million_pages_announced", pdf([catalogue, million, _PAGE]), RENDERED | BROKEN
    kids = "3 0 R " * 100_000
    same = f"<</Type/Pages/Kids[{kids}]/Count 100000>>"
    yield "one_page_100000_times", pdf([catalogue, same, _PAGE]), RENDERED | BROKEN
    levels = [
        f"<</Type/Pages/Parent {n} 0 R/Kids[{f'{n + 2} 0 R ' * 10}]/Count {10 ** (9 - n)}>>"
        for n in range(1, 9)
    ]
    tower = [catalogue, levels[0].replace("/Parent 1 0 R", ""), *levels[1:], _PAGE]
    yield "a_tree_of_10_to_the_8_pages", pdf(tower), RENDERED | BROKEN | TOO_MUCH
    cycle = "<</Type/Pages/Kids[2 0 R 3 0 R]/Count 2>>"
    yield "a_tree_that_holds_itself", pdf([catalogue, cycle, _PAGE]), RENDERED | BROKEN
    count = 20_000
    chain = [f"<</Type/Pages/Kids[{n + 3} 0 R]/Count 1>>" for n in range(count)]
    yield "a_tree_20000_deep", pdf([catalogue, *chain, _PAGE]), RENDERED | BROKEN
    deep = "[" * 100_000 + "]" * 100_000
    yield "a_list_100000_deep", page(HELLO, entries=f"/Deep {deep}"), RENDERED | BROKEN
    items = [f"<</Title(x)/Parent 5 0 R/Next {n} 0 R>>" for n in (7, 6)]
    outlines = ["<</Type/Outlines/First 6 0 R/Last 7 0 R/Count 2>>", *items]
    yield "outlines_in_a_circle", page(HELLO, *outlines, catalogue="/Outlines 5 0 R"), RENDERED


def _boxes() -> _Rows:
    boxes = {
        "a_page_of_10_to_the_9": ("0 0 1000000000 1000000000", TOO_LARGE | RENDERED),
        "a_page_of_10_to_the_38": (
            "0 0 1e38 99999999999999999999999999",
            RENDERED | TOO_LARGE | BROKEN,
        ),
        "a_page_upside_down": ("300 200 0 0", RENDERED),
        "a_page_left_of_itself": ("-300 -200 -1 -1", RENDERED),
        "a_page_of_no_number": ("nan inf 300 -nan", RENDERED | BROKEN),
        "a_page_of_no_area": ("10 10 10 10", RENDERED | BROKEN),
        "a_page_as_long_as_a_road": ("0 0 1 100000000", TOO_LARGE | BROKEN | RENDERED),
        "a_box_that_is_no_list": ("] 7 [", RENDERED | BROKEN),
    }
    for name, (box, fates) in boxes.items():
        yield name, page(HELLO, box=box), fates
    yield "a_huge_unit", page(HELLO, entries="/UserUnit 1000000"), RENDERED | TOO_LARGE
    yield (
        "cropped_beside_the_page",
        page(HELLO, entries="/CropBox[900 900 950 950]"),
        RENDERED | BROKEN,
    )
    yield "turned_by_45_degrees", page(HELLO, entries="/Rotate 45"), RENDERED


def _references() -> _Rows:
    good = page(HELLO)
    start = good.rindex(b"xref\n0")
    prev = good.replace(b"trailer\n<<", b"trailer\n<</Prev %d" % start)
    yield "a_table_before_itself", prev, RENDERED | BROKEN
    own = page(HELLO).replace(b"/Length %d" % len(HELLO), b"/Length 4 0 R")
    yield "a_length_that_is_itself", own, RENDERED | BROKEN
    yield "an_object_that_is_itself", page(HELLO, "5 0 R", entries="/Annots 5 0 R"), RENDERED
    huge = stream(b"", "/Type/XRef/W[1 8 8]/Index[0 2147483647]/Size 2147483647/Root 1 0 R")
    whole = b"%PDF-1.7\n1 0 obj\n" + huge + b"\nendobj\nstartxref\n9\n%%EOF\n"
    yield "a_table_of_2_to_the_31", whole, BROKEN
    objects = stream(
        repeated(b"1 0 " * (1 << 18), 200), "/Type/ObjStm/N 9/First 9/Filter/FlateDecode"
    )
    yield "objects_in_a_bomb", page(HELLO, objects, entries="/Annots 6 0 R"), RENDERED | BROKEN
    bomb = repeated(repeated(bytes(1 << 20), 1000), 20)
    filters = "/Filter[/FlateDecode/FlateDecode]"
    yield "a_bomb_in_a_bomb", page(bomb, content_entries=filters), RENDERED | TOO_MUCH
    long = b"q 1 0 0 1 0 0 cm Q " * (1 << 15)
    yield (
        "a_gigabyte_of_nothing",
        page(repeated(long, 1700), content_entries="/Filter/FlateDecode"),
        (RENDERED | TOO_MUCH),
    )


def _wishes() -> _Rows:
    script = "<</S/JavaScript/JS(while\\(true\\){app.alert\\(1\\)})>>"
    yield "a_script_at_opening", page(HELLO, catalogue=f"/OpenAction {script}"), RENDERED
    names = f"/Names<</JavaScript<</Names[(a) {script}]>>>>"
    yield "a_script_by_name", page(HELLO, catalogue=names), RENDERED
    yield "a_script_of_the_page", page(HELLO, entries=f"/AA<</O {script}>>"), RENDERED
    for name, action in {
        "launch": "/S/Launch/F(/bin/sh)/Win<</F(cmd.exe)>>",
        "address": "/S/URI/URI(http://127.0.0.1:9/)",
        "other_file": "/S/GoToR/F(/etc/passwd)/D[0/Fit]",
        "form_sent": "/S/SubmitForm/F(http://127.0.0.1:9/)",
    }.items():
        yield f"opening_does_{name}", page(HELLO, catalogue=f"/OpenAction<<{action}>>"), RENDERED
    kept = stream(b"MZ" + bytes(1000), "/Type/EmbeddedFile")
    names = "/Names<</EmbeddedFiles<</Names[(a.exe)<</Type/Filespec/F(a.exe)/EF<</F 5 0 R>>>>]>>>>"
    yield "a_program_inside", page(HELLO, kept, catalogue=names), RENDERED
    note = "<</Type/Annot/Subtype/Text/Rect[1 1 9 9]/Contents(x)>>"
    yield (
        "a_million_notes",
        page(HELLO, note, entries=f"/Annots[{'5 0 R ' * 1_000_000}]"),
        (RENDERED | TOO_MUCH),
    )
    chain = [f"<</FT/Tx/T(a)/Kids[{n + 6} 0 R]>>" for n in range(20_000)]
    form = "/AcroForm<</Fields[5 0 R]/NeedAppearances true>>"
    yield "fields_20000_deep", page(HELLO, *chain, "<</FT/Tx/T(a)>>", catalogue=form), RENDERED
    circle = ["<</FT/Tx/T(a)/Kids[6 0 R]>>", "<</FT/Tx/T(a)/Kids[5 0 R]/Parent 5 0 R>>"]
    yield "fields_in_a_circle", page(HELLO, *circle, catalogue=form), RENDERED
