"""HTML and Markdown that are hostile: reaching out, endless, nested, gigantic, hidden."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator

from hostile_set.case import BROKEN, EMPTY, RENDERED, TOO_LARGE, TOO_MUCH, Hostile, zeros

_ANY = RENDERED | TOO_MUCH | TOO_LARGE
_NOWHERE = "http://127.0.0.1:9"
_SECRET = "root:"


def cases() -> Iterator[Hostile]:
    for name, body, says in _reaching():
        yield Hostile(
            name=name,
            suffix=".html",
            data=_html(body),
            fates=RENDERED,
            says=says,
            secret=_SECRET,
        )
    for name, body in _endless():
        yield Hostile(name=name, suffix=".html", data=_html(body), fates=_ANY)
    for name, body in _hidden():
        yield Hostile(name=name, suffix=".html", data=_html(body), fates=RENDERED, says="Seen")
    yield from _bytes()
    for name, text, fates in _markdown():
        yield Hostile(name=name, suffix=".md", data=text.encode(), fates=fates)


def _html(body: str) -> bytes:
    return f"<!DOCTYPE html><meta charset=utf-8><body>{body}".encode()


def _reaching() -> Iterator[tuple[str, str, str]]:
    seen = "<p>Seen</p>"
    for name, address in {"network": f"{_NOWHERE}/a", "file": "file:///etc/passwd"}.items():
        yield f"picture_from_{name}", f"{seen}<img src={address} width=50 height=50>", "Seen"
        yield f"frame_from_{name}", f"{seen}<iframe src={address}></iframe>", "Seen"
        yield f"object_from_{name}", f"{seen}<object data={address}></object>", "Seen"
        yield f"style_from_{name}", f"{seen}<link rel=stylesheet href={address}>", "Seen"
        yield f"style_imported_from_{name}", f"{seen}<style>@import '{address}';</style>", "Seen"
        face = f"<style>@font-face{{font-family:x;src:url({address})}}p{{font-family:x}}</style>"
        yield f"font_from_{name}", f"{face}{seen}", "Seen"
        yield (
            f"refreshed_to_{name}",
            f"<meta http-equiv=refresh content='0;{address}'>{seen}",
            "Seen",
        )
        yield f"svg_from_{name}", f"{seen}<svg><use href='{address}#a'/></svg>", "Seen"
        go = f"<script>location='{address}'</script>"
        yield f"script_goes_to_{name}", seen + go, "Seen"
        ask = f"fetch('{address}').then(r=>r.text()).then(t=>document.body.innerText=t)"
        yield f"script_fetches_from_{name}", f"{seen}<script>{ask}</script>", "Seen"
    yield "a_base_elsewhere", f"<base href=file:///etc/>{seen}<iframe src=passwd></iframe>", "Seen"
    yield (
        "a_form_that_sends_itself",
        (
            f"{seen}<form action={_NOWHERE}/><input name=a></form>"
            "<script>document.forms[0].submit()</script>"
        ),
        "Seen",
    )
    yield "many_windows", f"{seen}<script>for(;;)window.open('about:blank')</script>", "Seen"
    yield "a_question_to_the_reader", f"{seen}<script>for(;;)alert(1)</script>", "Seen"
    yield "it_prints_itself", f"{seen}<script>for(;;)print()</script>", "Seen"
    yield "a_script_without_end", f"{seen}<script>for(;;);</script>", "Seen"
    yield (
        "a_script_that_takes_memory",
        (f"{seen}<script>a=[];for(;;)a.push(new Uint8Array(1e8).fill(1))</script>"),
        "Seen",
    )


def _endless() -> Iterator[tuple[str, str]]:
    yield "boxes_100000_deep", "<div>" * 100_000 + "x"
    yield "tables_2000_deep", "<table><tr><td>" * 2000 + "x"
    yield (
        "frames_of_itself",
        "<iframe src='#'></iframe><iframe srcdoc='<iframe srcdoc=x>'></iframe>" * 50,
    )
    yield (
        "a_table_of_a_million_cells",
        "<table>" + "<tr>" + "<td>x" * 1000 + ("<tr>" + "<td>x" * 100) * 9990,
    )
    yield (
        "a_table_of_10_to_the_9_columns",
        "<table><tr><td colspan=1000000000 rowspan=65534>x</table>",
    )
    yield "10_million_letters", "x " * 5_000_000
    yield "a_word_of_5_million_letters", "x" * 5_000_000
    yield "a_page_of_10_to_the_9_px", "<div style='height:1000000000px;width:1000000000px'>x</div>"
    yield "letters_of_10_to_the_6_px", "<p style='font-size:1000000px'>x"
    rules = "".join(
        f".a{n} .b{n} .c{n}:nth-child({n}n+1):not(.d){{color:red}}" for n in range(20_000)
    )
    yield "20000_rules", f"<style>{rules}</style>" + "<p class=a1>" * 2000
    doubling = "".join(f"--v{n}:var(--v{n - 1})var(--v{n - 1});" for n in range(1, 40))
    yield (
        "a_variable_of_2_to_the_40",
        f"<style>p{{--v0:x;{doubling}}}p::after{{content:var(--v39)}}</style><p>x",
    )
    shadows = ",".join(f"{n}px {n}px 500px red" for n in range(300))
    yield "300_wide_shadows", f"<p style='width:2000px;height:2000px;box-shadow:{shadows}'>x"
    blur = "filter:" + "blur(200px)" * 50
    yield "50_wide_blurs", f"<div style='{blur};width:3000px;height:3000px;background:red'>x</div>"
    turn = "<style>@keyframes a{to{transform:rotate(1turn)}}p{animation:a .001s infinite}</style>"
    yield "20000_moving_things", turn + "<p>x" * 20_000
    noise = "<filter id=f><feTurbulence numOctaves=100000 baseFrequency=.9 /></filter>"
    yield (
        "noise_of_100000_octaves",
        f"<svg width=3000 height=3000>{noise}<rect filter=url(#f) width=3000 height=3000 /></svg>",
    )
    smooth = "<feGaussianBlur stdDeviation=5000 /><feMorphology radius=5000 />" * 20
    yield (
        "a_gigantic_filter",
        (
            f"<svg width=5000 height=5000><filter id=f>{smooth}</filter>"
            "<rect filter=url(#f) width=5000 height=5000 /></svg>"
        ),
    )
    uses = "".join(f"<g id=g{n}>{f'<use href=#g{n - 1} />' * 10}</g>" for n in range(1, 10))
    yield (
        "svg_of_10_to_the_9",
        f"<svg><defs><g id=g0><rect width=9 height=9 /></g>{uses}</defs><use href=#g9 /></svg>",
    )
    yield "an_svg_that_uses_itself", "<svg><g id=a><use href=#a /></g></svg>"
    yield (
        "a_pattern_of_tiny_tiles",
        (
            "<svg width=2000 height=2000><pattern id=p width=.001 height=.001"
            " patternUnits=userSpaceOnUse><rect width=1 height=1 /></pattern>"
            "<rect fill=url(#p) width=2000 height=2000 /></svg>"
        ),
    )
    image = base64.b64encode(_png(30_000)).decode()
    yield "a_picture_of_900_mb", f"<img src='data:image/png;base64,{image}'>"
    yield "100000_pictures", "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>" * 100_000
    yield "lists_5000_deep", "<ul><li>" * 5000
    yield "a_column_of_10_to_the_6", "<div style='columns:1000000;height:10px'>" + "x<br>" * 10_000
    yield (
        "a_grid_of_10_to_the_7",
        "<div style='display:grid;grid-template:repeat(10000,1px)/repeat(10000,1px)'>x",
    )
    nested = "<div style='display:flex'>" * 400
    yield "flex_400_deep", nested + "x"


def _hidden() -> Iterator[tuple[str, str]]:
    """Text that is in the page and not to be seen."""
    for name, style in {
        "not_displayed": "display:none",
        "hidden": "visibility:hidden",
        "transparent": "opacity:0",
        "without_colour": "color:transparent",
        "white_on_white": "color:#fff",
        "beside_the_page": "position:absolute;left:-9999px",
        "clipped": "position:absolute;clip-path:inset(50%)",
        "without_size": "font-size:0",
        "in_a_box_of_no_height": "height:0;overflow:hidden",
        "shrunk": "transform:scale(0)",
        "turned_away": "transform:rotateY(180deg);backface-visibility:hidden",
    }.items():
        yield f"text_{name}", f"<p>Seen</p><p style='{style}'>Nobody sees this</p>"
    yield (
        "text_under_a_sheet",
        (
            "<p>Seen</p><div style='position:relative'>Nobody sees this"
            "<div style='position:absolute;inset:0;background:#fff'></div></div>"
        ),
    )
    unread = "<template>Nobody sees this</template><script type=x>Nobody sees this</script>"
    yield "text_of_templates", f"<p>Seen</p>{unread}"


def _bytes() -> Iterator[Hostile]:
    yield Hostile(name="empty", suffix=".html", data=b"", fates=EMPTY)
    noise = bytes((n * 193 + n // 7) % 256 for n in range(20_000))
    yield Hostile(name="garbage", suffix=".html", data=noise, fates=RENDERED | BROKEN)
    cut = _html("<p>Seen</p><table><tr><td><img src='")
    yield Hostile(name="truncated", suffix=".html", data=cut, fates=RENDERED, says="Seen")
    wide = "<!DOCTYPE html><p>Seen".encode("utf-16")
    yield Hostile(name="utf_16", suffix=".html", data=wide, fates=RENDERED, says="Seen")
    wrong = b"<!DOCTYPE html><meta charset=utf-7><p>+ADw-script+AD4-alert(1)"
    yield Hostile(name="utf_7", suffix=".html", data=wrong, fates=RENDERED | BROKEN)
    zero = _html("<p>Se\0en</p>\0")
    yield Hostile(name="zeros_in_text", suffix=".html", data=zero, fates=RENDERED | BROKEN)
    laughs = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    xml = f"<?xml version='1.0'?><!DOCTYPE html [<!ENTITY a0 'ha'>{laughs}]>"
    xml += "<html xmlns='http://www.w3.org/1999/xhtml'><body>&a9;</body></html>"
    yield Hostile(
        name="a_billion_laughs", suffix=".xhtml", data=xml.encode(), fates=BROKEN | RENDERED
    )


def _markdown() -> Iterator[tuple[str, str, frozenset[str]]]:
    any_fate = _ANY | BROKEN
    yield "empty", "", EMPTY
    yield "quotes_100000_deep", ">" * 100_000 + " x", any_fate
    yield "lists_1500_deep", "".join("  " * n + "- x\n" for n in range(1500)), any_fate
    yield "brackets_100000_deep", "[" * 100_000 + "x" + "](a)" * 100_000, any_fate
    yield "stars_100000", "*a **a " * 50_000, any_fate
    yield "backticks_of_every_length", "".join("`" * n + "x" for n in range(1, 2000)), any_fate
    yield (
        "a_table_of_a_million_cells",
        "|a" * 1000 + "\n" + "|-" * 1000 + "\n" + ("|x" * 1000 + "\n") * 1000,
        any_fate,
    )
    yield "100000_footnotes", "".join(f"[^{n}]: x\n\nx[^{n}]\n\n" for n in range(100_000)), any_fate
    yield "a_line_of_5_million_letters", "x" * 5_000_000, any_fate
    yield "links_without_end", "[a](" * 20_000, any_fate
    yield "comments_without_end", "<!-- " * 20_000, any_fate
    yield "html_with_a_script", "Seen\n\n<script>for(;;);</script>\n", RENDERED
    yield (
        "a_picture_of_the_system",
        "Seen\n\n![x](/etc/passwd)\n![x](file:///etc/passwd)\n",
        RENDERED,
    )
    yield "a_picture_of_the_network", f"Seen\n\n![x]({_NOWHERE}/a.png)\n", RENDERED
    yield (
        "a_head_that_includes",
        "---\ncss: /etc/passwd\nheader-includes: '\\input{/etc/passwd}'\n---\nSeen\n",
        RENDERED,
    )
    yield (
        "a_head_of_laughs",
        "---\na: &a [x,x]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(f'*{chr(97 + n)}' for _ in range(9))}]\n"
            for n in range(9)
        )
        + "---\nSeen\n",
        any_fate,
    )


def _png(side_px: int) -> bytes:
    """A square of black, `side_px` wide, of 8 bits a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0)
    size_mb = -(-side_px * (side_px + 1) // (1 << 20))
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zeros(size_mb)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
