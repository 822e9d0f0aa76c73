"""Pictures with text that are neither photographs nor documents, and pages of help in Chinese.

Screens, plots, receipts, comics, maps and memes are laid out by Chromium, which says where each
character is. Screens of real programs have no truth but that they show text.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import text_blocks_sources as sources
from PIL import Image
from text_blocks_ink import Browser
from text_blocks_set import TILE_PX, Rgb, Sample, fullest_window

Generator = np.random.Generator
_SEED = 20270215
_PROGRAMS = (
    (
        "kicad-doc-zh",
        r"/zh/images/[^/]*(dialog|preferences|menu|window|properties|setup)[^/]*\.png$",
        24,
    ),
    (
        "fotoxx-common",
        r"/(KB|add|album|batch|edit|favor|file|gallery|list|menu|pref|search|view)"
        r"[^/]*\.jpg$",
        16,
    ),
)


def laid_out_samples(browser: Browser, each: int) -> Iterator[Sample]:
    """So many pictures of every kind that is laid out here; in turn English and Chinese."""
    for place, (kind, body) in enumerate(_BODIES.items()):
        for number in range(each):
            rng = np.random.default_rng([_SEED, place, number])
            script = ("latin", "zh-cn", "latin", "zh-tw")[number % 4]
            width, height = (640, 480) if kind in ("meme", "map") else (800, 600)
            if kind == "receipt":
                width, height = 420, 640
            rgba, text, middles = browser.show(body(browser, script, rng), width, height)
            yield Sample(
                kind=f"laid_{kind}",
                source=kind,
                rgb=np.ascontiguousarray(rgba[:, :, :3]),
                text=text,
                hand="chromium",
                fullest=fullest_window(middles, height, width),
            )


def leaf_samples(browser: Browser, count: int) -> Iterator[Sample]:
    """Tiles of dense pages of help, letters of 6 to 20 px, nearly all of them Chinese."""
    for number in range(count):
        rng = np.random.default_rng([_SEED, 80, number])
        script = ("zh-cn", "zh-tw", "zh-cn")[number % 3]
        em = float(np.exp(rng.uniform(*np.log((6, 20)))))
        dark = rng.random() < 0.15
        colours = (_tint(rng, 0, 60), _tint(rng, 225, 256))
        text = "".join(f"<p>{_words(script, 500, rng)}</p>" for _ in range(60))
        body = (
            f'<div style="background:{colours[not dark]};color:{colours[dark]};width:900px;'
            f"height:3000px;padding:20px;columns:{rng.integers(1, 3)};"
            f"font:{em:.2f}px/{rng.uniform(1.2, 1.7):.2f} {_face(browser, script, rng, em_px=em)}"
            f'">{text}</div>'
        )
        rgba, shown, middles = browser.show(body, 900, 700)
        for side in (TILE_PX, 512):
            x, y = int(rng.integers(900 - side)), int(rng.integers(700 - side))
            inside = ((middles >= (x, y)) & (middles < (x + side, y + side))).all(axis=1)
            yield Sample(
                kind=f"page_{side}",
                source=f"sentences {script}",
                rgb=np.ascontiguousarray(rgba[y : y + side, x : x + side, :3]),
                text="".join(c for c, i in zip(shown, inside, strict=True) if i),
                em_px=em,
                hand="chromium",
            )


def program_samples() -> Iterator[Sample]:
    """Screens of real programs, full of text that nobody has counted."""
    for package, pattern, most in _PROGRAMS:
        for name, rgb in sources.pictures(package, pattern, most):
            yield Sample(kind="program", source=name, rgb=rgb)


def _words(script: str, most: int, rng: Generator) -> str:
    """A sentence, cut after so many characters."""
    stock = sources.sentences(script)
    sentence = stock[int(rng.integers(len(stock)))]
    cut = sentence[:most]
    if script == "latin" and len(sentence) > most and " " in cut:
        cut = cut[: cut.rindex(" ")]
    return html.escape(cut)


def _face(
    browser: Browser, script: str, rng: Generator, only: str = "", em_px: float = 20.0
) -> str:
    """A family that draws the script; Chinese text has Latin letters in it, so faces with both."""
    both = ("TW-", "BabelStone", "zcool-kuaile", "bsmi")
    stock = [
        f for f in sources.readable(script, em_px) if script == "latin" or f.name.startswith(both)
    ]
    stock = [f for f in stock if only in f.name] or stock
    return browser.names[stock[int(rng.integers(len(stock)))]]


def _picture(rgb: Rgb) -> str:
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, "jpeg", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def _photo(rng: Generator, width: int, height: int) -> str:
    stock = [p for _, p in sources.photographs() if min(p.shape[:2]) >= 330]
    photo = stock[int(rng.integers(len(stock)))]
    scale = max(width / photo.shape[1], height / photo.shape[0])
    large = cv2.resize(photo, None, fx=scale * 1.01, fy=scale * 1.01)
    return _picture(np.ascontiguousarray(large[:height, :width]))


def _tint(rng: Generator, low: int, high: int) -> str:
    return "rgb({},{},{})".format(*rng.integers(low, high, 3))


def _article(browser: Browser, script: str, rng: Generator) -> str:
    size, face = float(rng.uniform(11, 17)), _face(browser, script, rng)
    text = "".join(f"<p>{_words(script, 400, rng)}</p>" for _ in range(30))
    columns = int(rng.integers(1, 4))
    ground = f"background:{_tint(rng, 225, 256)};color:{_tint(rng, 0, 70)}"
    return (
        f'<div style="{ground};font:{size:.1f}px/1.45 {face};columns:{columns};padding:16px;'
        f'width:800px;height:1400px"><h2>{_words(script, 40, rng)}</h2>{text}</div>'
    )


def _code(browser: Browser, script: str, rng: Generator) -> str:
    face, rows = _face(browser, "latin", rng, "Mono"), []
    for number in range(60):
        words = [w.lower() for w in _words("latin", 60, rng).split() if w.isalpha()][:5]
        line = f"{'    ' * int(rng.integers(4))}{'_'.join(words[:2])}({', '.join(words[2:])})"
        colour = _tint(rng, 120, 255)
        rows.append(f'<span style="color:#777">{number:3} </span><span style="color:{colour}">'
                    f"{line}</span>")  # fmt: skip
    body = "\n".join(rows)
    size = rng.uniform(10, 15)
    return (
        f'<pre style="margin:0;padding:10px;background:{_tint(rng, 15, 45)};width:800px;'
        f'height:1400px;font:{size:.1f}px/1.4 {face}">{body}</pre>'
    )


def _form(browser: Browser, script: str, rng: Generator) -> str:
    face, rows = _face(browser, script, rng), ""
    for _ in range(12):
        cells = "".join(
            f'<td style="border:1px solid #aaa;padding:4px 8px">{_words(script, 22, rng)}</td>'
            for _ in range(3)
        )
        rows += f"<tr>{cells}</tr>"
    button = f"background:{_tint(rng, 60, 160)};color:#fff;padding:6px 14px;border-radius:4px"
    buttons = "".join(
        f'<span style="{button};margin:8px;display:inline-block">{_words(script, 10, rng)}</span>'
        for _ in range(4)
    )
    return (
        f'<div style="background:{_tint(rng, 215, 245)};height:600px;padding:20px;'
        f'font:{rng.uniform(11, 15):.1f}px {face}">'
        f'<table style="border-collapse:collapse;background:#fff">{rows}</table>{buttons}</div>'
    )


def _plot(browser: Browser, script: str, rng: Generator) -> str:
    face, size = _face(browser, script, rng), rng.uniform(10, 15)
    marks, lines = "", ""
    for n in range(9):
        x, y = 80 + n * 80, 520 - n * 55
        marks += f'<text x="{x}" y="545" text-anchor="middle">{n * 25}</text>'
        marks += f'<text x="70" y="{y + 4}" text-anchor="end">{n * 0.5:.1f}</text>'
        lines += f'<path d="M{x} 520V60M80 {y}H740" stroke="#ddd"/>'
    for n in range(4):
        y = np.clip(400 - 90 * n + np.cumsum(rng.normal(0, 14, 66)), 70, 515)
        points = " ".join(f"{80 + 10 * i},{v:.0f}" for i, v in enumerate(y))
        colour = _tint(rng, 20, 200)
        lines += f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        marks += f'<text x="620" y="{90 + 18 * n}" fill="{colour}">{_words(script, 12, rng)}</text>'
    title = f'<text x="400" y="40" text-anchor="middle">{_words(script, 36, rng)}</text>'
    down = f'<text transform="translate(24,300) rotate(-90)">{_words(script, 18, rng)}</text>'
    return (
        f'<svg width="800" height="600" style="background:#fff;font:{size:.1f}px {face}">'
        f"{lines}{marks}{title}{down}</svg>"
    )


def _receipt(browser: Browser, script: str, rng: Generator) -> str:
    face = _face(browser, script, rng, "Anonymous" if script == "latin" else "")
    rows = "".join(
        f"<div style='display:flex;justify-content:space-between'><span>{_words(script, 20, rng)}"
        f"</span><span>{rng.uniform(1, 90):.2f}</span></div>"
        for _ in range(int(rng.integers(8, 18)))
    )
    surface = sources.surfaces()[int(rng.integers(60))][1]
    ground = _picture(np.ascontiguousarray(cv2.resize(surface, (420, 640))))
    turn = rng.uniform(-5, 5)
    return (
        f'<div style="width:420px;height:640px;overflow:hidden;background:url({ground})">'
        f'<div style="position:absolute;left:70px;top:40px;width:280px;padding:18px;'
        f"background:{_tint(rng, 232, 252)};color:#333;font:{rng.uniform(11, 14):.1f}px/1.5 {face};"
        f'transform:rotate({turn:.1f}deg);box-shadow:2px 4px 10px #000a"><center>'
        f"{_words(script, 24, rng)}</center>{rows}<hr>{rng.uniform(9, 400):.2f}</div></div>"
    )


def _comic(browser: Browser, script: str, rng: Generator) -> str:
    face = _face(browser, script, rng, "TomsonTalks" if script == "latin" else "")
    panels = ""
    for row in range(2):
        for column in range(3):
            left, top = 8 + column * 264, 8 + row * 296
            panels += (
                f'<div style="position:absolute;left:{left}px;top:{top}px;width:256px;height:288px;'
                f'border:3px solid #111;background:url({_photo(rng, 256, 288)});">'
                f'<div style="margin:12px;padding:14px 20px;background:#fff;border:2px solid #111;'
                f'border-radius:50%;text-align:center">{_words(script, 60, rng)}</div></div>'
            )
    size = rng.uniform(11, 15)
    return f'<div style="background:#fff;height:600px;font:{size:.1f}px/1.2 {face}">{panels}</div>'


def _map(browser: Browser, script: str, rng: Generator) -> str:
    """Names over relief, water and roads, with halos and at slants."""
    relief = sources.pictures("three-globe", r"earth-blue-marble\.jpg$", 1)[0][1]
    y, x = int(rng.integers(relief.shape[0] - 240)), int(rng.integers(relief.shape[1] - 320))
    part = cv2.resize(relief[y : y + 240, x : x + 320], (640, 480), interpolation=cv2.INTER_CUBIC)
    face, marks = _face(browser, script, rng), ""
    for n in range(10):
        ends = rng.integers(0, 640, 6)
        marks += f'<path d="M{ends[0]} {ends[1]}Q{ends[2]} {ends[3]} {ends[4]} {ends[5]}" '
        marks += f'fill="none" stroke="{_tint(rng, 60, 200)}" stroke-width="{1 + n % 3}"/>'
    for n in range(22):
        place = (
            f"translate({30 + (n % 4) * 150},{30 + n // 4 * 76}) rotate({rng.uniform(-25, 25):.0f})"
        )
        name = _words(script, 14 if script == "latin" else 6, rng)
        marks += (
            f'<text transform="{place}" font-size="{rng.uniform(10, 16):.1f}" fill="#222" '
            f'stroke="#fff" stroke-width="3" paint-order="stroke">{name}</text>'
        )
    ground = _picture(np.ascontiguousarray(part))
    return (
        f'<svg width="640" height="480" style="background:url({ground});font-family:{face}">'
        f"{marks}</svg>"
    )


def _meme(browser: Browser, script: str, rng: Generator) -> str:
    face = _face(browser, script, rng, "LeagueSpartan" if script == "latin" else "")
    long = 30 if script == "latin" else 14
    line = (
        f"position:absolute;left:20px;width:600px;text-align:center;color:#fff;"
        f"font:{rng.uniform(32, 44):.0f}px/1.1 {face};-webkit-text-stroke:3px #000;"
        f"paint-order:stroke;text-shadow:0 0 4px #000"
    )
    return (
        f'<div style="width:640px;height:480px;background:url({_photo(rng, 640, 480)})">'
        f'<div style="{line};top:12px">{_words(script, long, rng)}</div>'
        f'<div style="{line};bottom:12px">{_words(script, long, rng)}</div></div>'
    )


def _slide(browser: Browser, script: str, rng: Generator) -> str:
    face = _face(browser, script, rng)
    points = "".join(f"<li>{_words(script, 60, rng)}</li>" for _ in range(5))
    return (
        f'<div style="height:600px;padding:40px;color:#fff;'
        f"font:{rng.uniform(18, 26):.0f}px/1.5 {face};"
        f"background:linear-gradient({rng.integers(360)}deg,{_tint(rng, 10, 90)},"
        f'{_tint(rng, 10, 90)})"><h1>{_words(script, 24, rng)}</h1><ul>{points}</ul>'
        f'<img src="{_photo(rng, 300, 150)}"></div>'
    )


_BODIES: dict[str, Callable[[Browser, str, Generator], str]] = {
    "article": _article,
    "code": _code,
    "form": _form,
    "plot": _plot,
    "receipt": _receipt,
    "comic": _comic,
    "map": _map,
    "meme": _meme,
    "slide": _slide,
}
