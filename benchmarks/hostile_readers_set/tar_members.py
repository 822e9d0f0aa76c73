"""Tars whose members have hostile names, kinds and links."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile_readers_set.case import (
    END,
    KEPT,
    Hostile,
    around,
    fates,
    good_pictures,
    header,
    long_name,
    member,
    pax,
    record,
    tar_bytes,
)

_Make = Callable[[Path], Any]


def write(data: bytes, name: str = "x.tar") -> _Make:
    return lambda folder: (folder / name).write_bytes(data)


def tar(name: str, data: bytes, *slugs: str, **more: Any) -> Hostile:
    return Hostile(name=name, reader="webdataset", make=write(data), fates=fates(*slugs), **more)


def cases() -> Iterator[Hostile]:
    yield from _names()
    yield from _links()
    yield from _kinds()
    yield from _inside()


def _names() -> Iterator[Hostile]:
    third = good_pictures()[3]
    outside = {
        "absolute": b"/tmp/hostile-readers/absolute.jpg",
        "dotdot": b"../../../../tmp/hostile-readers/dotdot.jpg",
        "dotdot_in_the_middle": b"a/../../../b.jpg",
        "drive_letter": b"C:\\Windows\\evil.jpg",
        "unc_path": b"\\\\server\\share\\evil.jpg",
        "control_characters": b"a\x01\x07\x1b[2J\x1b]0;owned\x07\r\n\t.jpg",
        "html": b"<script>alert(1)</script>'\"&.jpg",
        "script_end": b"</script><script>alert(1)//.jpg",
        "shell": b"$(touch owned);`id`|x.jpg",
        "sql": b"'); DROP TABLE scores; --.jpg",
        "percent": b"%2e%2e%2f%00.jpg",
        "right_to_left": "\u202egpj.exe\u2066.jpg".encode(),
        "no_utf8": b"\xff\xfe\x80.jpg",
        "surrogate_in_utf8": b"\xed\xb2\x80.jpg",
        "only_dots": b"...jpg",
        "hidden": b".jpg",
        "url": b"http://169.254.169.254/latest/meta-data.jpg",
        "chain_of_addresses": b"a::file:///etc/passwd.jpg",
        "glob": b"[*]?{a,b}.jpg",
        "device_of_windows": b"CON.jpg",
        "a_hundred_bytes": b"n" * 96 + b".jpg",
    }
    for name, raw in outside.items():
        yield tar(f"name_{name}", around(member(raw, third)), KEPT, rows=3)
    no_name = fates(KEPT)
    for name, raw in {"empty": b"", "slash": b"/", "dot": b".", "spaces": b"   "}.items():
        # A name that ends in a slash is a folder, as old tars write them.
        rows = None if name == "slash" else 3
        yield tar(f"name_{name}", around(member(raw, third)), *no_name, rows=rows)
    for name, raw in {
        "10_kb": b"n" * 10_000 + b".jpg",
        "of_5000_folders": b"d/" * 5000 + b"x.jpg",
        "nul": b"before\0/etc/passwd.jpg",
        "newlines": b"a\n" * 3000 + b".jpg",
        "no_utf8_of_10_kb": b"\xff" * 10_000 + b".jpg",
    }.items():
        data = around(long_name(raw) + member(b"x.jpg", third))
        yield tar(f"gnu_name_{name}", data, KEPT, rows=3)
        data = around(pax(record(b"path", raw)) + member(b"x.jpg", third))
        yield tar(f"pax_name_{name}", data, KEPT, rows=3)


def _links() -> Iterator[Hostile]:
    lost = ("unreadable",)
    soft, hard = b"2", b"1"
    targets = {
        "absolute": b"/etc/passwd",
        "dotdot": b"../../../../../../etc/passwd",
        "proc": b"/proc/self/environ",
        "nowhere": b"nowhere.jpg",
        "itself": b"x.jpg",
        "empty": b"",
    }
    for name, target in targets.items():
        for word, kind in (("soft", soft), ("hard", hard)):
            link = header(b"x.jpg", kind=kind, link=target)
            yield tar(f"{word}_link_{name}", around(link), *lost, rows=3)
    link = header(b"d", kind=soft, link=b"/tmp/hostile-readers")
    through = member(b"d/x.jpg", good_pictures()[3])
    yield tar("member_through_a_link_to_outside", around(link + through), KEPT, rows=3)
    loop = header(b"a.jpg", kind=soft, link=b"b.jpg") + header(b"b.jpg", kind=soft, link=b"a.jpg")
    yield tar("links_in_a_loop", around(loop), *lost, rows=4)
    chain = b"".join(
        header(b"%d.jpg" % n, kind=soft, link=b"%d.jpg" % (n + 1)) for n in range(2000)
    )
    yield tar("chain_of_2000_links", around(chain), *lost, rows=2002)
    many = b"".join(header(b"%d.jpg" % n, kind=hard, link=b"good0.jpg") for n in range(5000))
    yield tar("5000_links_to_one", around(many), rows=5002)
    data = header(b"x.jpg", 600, kind=soft, link=b"good0.jpg") + bytes(1024)
    yield tar("a_link_that_has_a_size", around(data), "broken_tar", good=1)


def _kinds() -> Iterator[Hostile]:
    third = good_pictures()[3]
    none = {"character_device": b"3", "block_device": b"4", "folder": b"5", "fifo": b"6"}
    for name, kind in none.items():
        yield tar(f"kind_{name}", around(header(b"x.jpg", kind=kind)), rows=2)
    for name, kind in {"contiguous": b"7", "unknown": b"Q", "old": b"\0"}.items():
        yield tar(f"kind_{name}", around(member(b"x.jpg", third, kind=kind)), KEPT, rows=3)
    for name, kind in {"multi_volume": b"M", "volume_label": b"V", "dump_folder": b"D"}.items():
        yield tar(f"kind_{name}", around(header(b"x.jpg", kind=kind)), "empty", rows=3)
    same = b"".join(member(b"same.jpg", data) for data in good_pictures()[:3])
    yield tar("one_name_three_times", around(same), KEPT, rows=5)
    clash = member(b"x", third) + member(b"x/y.jpg", third)
    yield tar("a_file_that_is_a_folder_too", around(clash), KEPT, rows=4)


def _inside() -> Iterator[Hostile]:
    inner = tar_bytes([("deep.jpg", good_pictures()[3])])
    for _ in range(20):
        inner = tar_bytes([("inner.tar", inner)])
    yield tar("tar_in_tar_20_deep", around(member(b"inner.tar", inner)), rows=2, passed_over=1)
    named = member(b"inner.jpg", inner)
    yield tar("tar_that_says_jpg", around(named), "not_an_image", rows=3)
    pickled = b"cposix\nsystem\n(S'touch owned'\ntR."
    members = b"".join(member(b"0." + e, pickled) for e in (b"pkl", b"pickle", b"pyd", b"pth"))
    yield tar("pickles_that_run_programs", around(members), rows=2, passed_over=4)
    deep = b"[" * 1_000_000
    yield tar("json_1000000_deep", around(member(b"0.json", deep)), rows=2, passed_over=1)
    yield tar("nothing_at_all", b"", "broken_tar", good=0)
    yield tar("only_the_end", END, good=0, rows=0)
