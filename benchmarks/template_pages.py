"""Pages of one template that differ in what is filled in, and copies of pages that do not.

`TUNED` is what the layout was tuned on, `WIDER` what was looked at afterwards: other templates,
fonts and sizes. In a `close` set two pages differ in one name and one amount alone.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from vae_corpus.demo import demo_inputs

Rgb = NDArray[np.uint8]
Draw = Callable[[Canvas, np.random.Generator, bool], None]

_WORDS = ("north", "river", "copper", "harbour", "maple", "silver", "orchard", "granite", "willow")
_TRADES = ("Foods", "Tools", "Textiles", "Glass", "Timber", "Paper", "Motors", "Garden", "Optics")
_GOODS = ("bolt M8", "hinge", "oak board", "paint 5 l", "cable 2 m", "filter", "lamp", "sheet A4")
_ZH_WORDS = "华东北方兴达远景金石长河明月青山海天宏图瑞丰同心"
_ZH_TRADES = ("贸易有限公司", "机械厂", "纸业公司", "建材公司", "食品公司")
_ZH_GOODS = ("螺栓", "合页", "橡木板", "油漆", "电缆", "滤芯", "台灯", "垫片", "阀门", "胶带")
_FORM_LABELS = ("Company", "Street", "Town", "Telephone", "Goods", "Metres", "Days", "Deposit")
_ZH_LABELS = ("单位名称", "联系地址", "联系电话", "申请事项", "申请金额", "备注")


@dataclass(frozen=True, kw_only=True)
class Template:
    """A page to be filled in: its size in points and how it is drawn."""

    name: str
    size: tuple[float, float]
    draw: Draw

    def pdf(self, seeds: Sequence[int], close: bool) -> bytes:
        """A page for each seed. `close`: all but one name and one amount is the same on all."""
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=self.size, invariant=True)
        for seed in seeds:
            self.draw(canvas, np.random.default_rng(seed), close)
            canvas.showPage()
        canvas.save()
        return out.getvalue()


@functools.cache
def _fonts() -> None:
    files = {p.name: p for folder in demo_inputs().fonts for p in Path(folder).rglob("*.tt[fc]")}
    for name, file in (
        ("Sans", "DejaVuSans.ttf"),
        ("Serif", "LiberationSerif-Regular.ttf"),
        ("Lato", "Lato-Regular.ttf"),
        ("Hei", "wqy-microhei.ttc"),
    ):
        pdfmetrics.registerFont(TTFont(name, files[file]))
    # Not carried by the documents: drawn with the fonts that the source names.
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))


def company(rng: np.random.Generator) -> str:
    first, second = rng.choice(_WORDS, 2, replace=False)
    return f"{first} {second} {rng.choice(_TRADES)}".title()


def zh_company(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(_ZH_WORDS), 3)) + str(rng.choice(_ZH_TRADES))


def amount(rng: np.random.Generator) -> str:
    return f"{rng.integers(100, 99_999) + rng.integers(100) / 100:,.2f}"


def _rows(rng: np.random.Generator, goods: Sequence[str], count: int) -> list[tuple[str, ...]]:
    return [
        (str(rng.choice(goods)), str(rng.integers(1, 40)), f"{rng.uniform(1, 400):.2f}")
        for _ in range(count)
    ]


def _rng_of(rng: np.random.Generator, close: bool) -> np.random.Generator:
    """For what a close set keeps the same."""
    return np.random.default_rng(7) if close else rng


def _invoice(canvas: Canvas, rng: np.random.Generator, close: bool, font: str = "Sans") -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFont(font, 18)
    canvas.drawString(60, 770, "INVOICE")
    canvas.setFont(font, 10)
    for i, line in enumerate(("Harbour Supply Works", "12 Quay Road", "Port Elling 40331")):
        canvas.drawString(380, 770 - 14 * i, line)
    canvas.drawString(60, 700, f"To: {company(rng)}")
    canvas.drawString(60, 686, f"Invoice no. {rest.integers(1000, 9999)}")
    canvas.drawString(60, 672, f"Date: {rest.integers(1, 28)}.{rest.integers(1, 12)}.2021")
    rows = _rows(rest, _GOODS, 6 if close else int(rest.integers(3, 9)))
    for x, head in zip((60, 300, 400), ("Item", "Pieces", "Price each"), strict=True):
        canvas.drawString(x, 630, head)
    canvas.line(60, 625, 530, 625)
    for i, row in enumerate(rows):
        for x, cell in zip((60, 300, 400), row, strict=True):
            canvas.drawString(x, 608 - 16 * i, cell)
    canvas.line(60, 460, 530, 460)
    canvas.drawString(300, 440, "Total")
    canvas.drawString(400, 440, amount(rng))
    canvas.setFont(font, 8)
    for i in range(4):
        canvas.drawString(
            60,
            120 - 11 * i,
            "Payable within thirty days without deduction. Goods stay ours until paid.",
        )


def _form(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    """With real fields, whose values lie beside the page and not in it."""
    _fonts()
    number = canvas.getPageNumber()
    rest = _rng_of(rng, close)
    canvas.setFont("Sans", 15)
    canvas.drawString(60, 780, "Application for a market stall")
    values = (
        company(rng),
        f"{rest.choice(_WORDS).title()} Street {rest.integers(1, 200)}",
        str(rest.choice(_WORDS)).title(),
        str(rest.integers(10**7, 10**8)),
        str(rest.choice(_TRADES)),
        str(rest.integers(2, 12)),
        str(rest.integers(1, 9)),
        amount(rng),
    )
    look = {"fontName": "Helvetica", "fontSize": 11, "borderWidth": 0, "height": 20, "width": 460}
    for i, (label, value) in enumerate(zip(_FORM_LABELS, values, strict=True)):
        y = 730 - 44 * i
        canvas.setFont("Sans", 8)
        canvas.drawString(60, y, label)
        canvas.rect(60, y - 24, 470, 20)
        canvas.acroForm.textfield(value=value, name=f"{label}{number}", x=64, y=y - 24, **look)
    canvas.setFont("Sans", 8)
    for i in range(5):
        ticked = bool(rest.random() < 0.5)
        canvas.acroForm.checkbox(
            name=f"rule{i}of{number}", checked=ticked, x=60, y=270 - 18 * i, size=10
        )
        canvas.drawString(76, 271 - 18 * i, f"I have read and accept the rules of part {i + 1}.")


def _slide(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFillColorRGB(0.1, 0.2, 0.45)
    canvas.rect(0, 460, 960, 80, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.setFont("Sans", 30)
    canvas.drawString(40, 486, f"Results of {company(rng)}")
    canvas.setFillColorRGB(0, 0, 0)
    canvas.setFont("Sans", 20)
    facts = [
        f"Turnover: {amount(rng)}",
        f"Staff: {rest.integers(10, 900)}",
        f"Main product: {rest.choice(_GOODS)}",
        f"Growth: {rest.uniform(0, 30):.1f} %",
    ]
    for i, fact in enumerate(facts):
        canvas.drawString(80, 380 - 60 * i, f"\u2022 {fact}")
    canvas.setFont("Sans", 12)
    canvas.drawString(40, 20, "Trade fair of the harbour towns")


def _zh_invoice(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    width = canvas._pagesize[0]
    canvas.setFont("STSong-Light", 17)
    canvas.drawCentredString(width / 2, 360, "增值税普通发票")
    canvas.setFont("STSong-Light", 9)
    canvas.rect(30, 40, width - 60, 300)
    canvas.drawString(40, 322, f"购买方：{zh_company(rng)}")
    canvas.drawString(40, 306, f"纳税人识别号：{rest.integers(10**14, 10**15)}")
    canvas.drawString(400, 322, f"发票号码：{rest.integers(10**7, 10**8)}")
    canvas.drawString(400, 306, f"开票日期：2021年{rest.integers(1, 12)}月{rest.integers(1, 28)}日")
    canvas.line(30, 296, width - 30, 296)
    rows = _rows(rest, _ZH_GOODS, 5 if close else int(rest.integers(2, 8)))
    for i, row in enumerate([("货物名称", "数量", "单价"), *rows]):
        for x, cell in zip((40, 280, 400), row, strict=True):
            canvas.drawString(x, 280 - 18 * i, cell)
    canvas.line(30, 90, width - 30, 90)
    canvas.drawString(40, 72, f"价税合计：{amount(rng)} 元")
    canvas.drawString(40, 50, "销售方：港口物资供应站    收款人：财务科    复核：财务科")


def _letter(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    """A contract: much the same text, in which a name and a sum are easily overlooked."""
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFont("Serif", 14)
    canvas.drawString(70, 660, "Contract of hire")
    canvas.setFont("Serif", 9)
    clause = (
        "The hirer keeps the machine dry and clean, lets nobody else use it, and gives it back"
        " swept on the last day before noon; repairs are ours unless the hirer caused them."
    )
    lines = [f"between Harbour Machines and {company(rng)}, for {rest.integers(2, 40)} days,"]
    lines += [f"at the price of {amount(rng)} for all days together.", ""]
    for i in range(12):
        lines += [f"{i + 1}. {clause[:86]}", clause[86:], ""]
    for i, line in enumerate(lines):
        canvas.drawString(70, 630 - 12.5 * i, line)


def _receipt(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFont("Sans", 12)
    canvas.drawString(30, 400, "QUAY MARKET")
    canvas.setFont("Sans", 8)
    canvas.drawString(30, 385, f"Served for: {company(rng)}")
    for i, row in enumerate(_rows(rest, _GOODS, 9 if close else int(rest.integers(6, 12)))):
        for x, cell in zip((30, 150, 220), row, strict=True):
            canvas.drawString(x, 360 - 14 * i, cell)
    canvas.drawString(30, 170, f"SUM {amount(rng)}")
    canvas.drawString(30, 150, "Thank you. Keep this slip for returns within 14 days.")


def _zh_form(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFont("Hei", 16)
    canvas.drawCentredString(297, 375, "设备采购申请表")
    values = (
        zh_company(rng),
        f"{rest.choice(list(_ZH_WORDS))}{rest.choice(list(_ZH_WORDS))}路{rest.integers(1, 200)}号",
        str(rest.integers(10**7, 10**8)),
        f"购置{rest.choice(_ZH_GOODS)}{rest.integers(2, 90)}件",
        f"{amount(rng)} 元",
        "无",
    )
    canvas.setFont("Hei", 10)
    for i, (label, value) in enumerate(zip(_ZH_LABELS, values, strict=True)):
        y = 330 - 36 * i
        canvas.rect(50, y, 100, 36)
        canvas.rect(150, y, 395, 36)
        canvas.drawString(60, y + 14, label)
        canvas.drawString(160, y + 14, value)
    canvas.drawString(50, 120, "申请人保证以上内容真实，如有虚假愿承担相应责任。")


def _statement(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    """A dense table in small print."""
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFont("Lato", 16)
    canvas.drawString(50, 740, "Statement of account")
    canvas.setFont("Lato", 8)
    canvas.drawString(50, 715, f"Holder: {company(rng)}")
    canvas.drawString(50, 703, f"Account: {rest.integers(10**9, 10**10)}")
    for i in range(36):
        y = 670 - 14 * i
        canvas.drawString(50, y, f"{rest.integers(1, 29):02d}.{rest.integers(1, 13):02d}.")
        canvas.drawString(110, y, f"{rest.choice(_GOODS)}, {rest.choice(_WORDS)} branch")
        canvas.drawRightString(560, y, f"{rest.uniform(1, 3000):.2f}")
    canvas.line(50, 160, 560, 160)
    canvas.drawString(50, 145, "New balance")
    canvas.drawRightString(560, 145, amount(rng))


def _dark_slide(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.setFillColorRGB(0.08, 0.08, 0.12)
    canvas.rect(0, 0, 720, 540, stroke=0, fill=1)
    canvas.setFillColorRGB(0.95, 0.7, 0.2)
    canvas.circle(640, 470, 40, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.setFont("Lato", 26)
    canvas.drawCentredString(340, 400, company(rng))
    canvas.setFont("Lato", 44)
    canvas.drawCentredString(340, 300, amount(rng))
    canvas.setFont("Lato", 16)
    canvas.drawCentredString(340, 250, f"orders in {rest.integers(1990, 2024)}")
    canvas.drawCentredString(340, 60, f"Source: survey of {rest.integers(100, 900)} shops")


def _label(canvas: Canvas, rng: np.random.Generator, close: bool) -> None:
    _fonts()
    rest = _rng_of(rng, close)
    canvas.rect(10, 10, 380, 280)
    canvas.setFont("Serif", 12)
    canvas.drawString(24, 262, f"Deliver to: {company(rng)}")
    canvas.drawString(24, 244, f"Bay {rest.integers(1, 99)}, {rest.choice(_WORDS)} store")
    canvas.drawString(24, 226, f"Value: {amount(rng)}")
    x = 30.0
    while x < 360:
        width = float(rest.integers(1, 5))
        canvas.rect(x, 60, width, 130, stroke=0, fill=1)
        x += width + float(rest.integers(2, 5))
    canvas.setFont("Serif", 9)
    canvas.drawString(24, 36, "Fragile. Keep dry. This side up. Return empty crates to the store.")


A4, LETTER, A5_WIDE = (595.0, 842.0), (612.0, 792.0), (595.0, 420.0)
TUNED = (
    Template(name="invoice", size=A4, draw=_invoice),
    Template(name="form", size=A4, draw=_form),
    Template(name="slide", size=(960.0, 540.0), draw=_slide),
    Template(name="zh_invoice", size=(600.0, 400.0), draw=_zh_invoice),
    Template(name="contract", size=(516.0, 729.0), draw=_letter),
    Template(name="receipt", size=(300.0, 430.0), draw=_receipt),
)
WIDER = (
    Template(name="zh_form", size=A5_WIDE, draw=_zh_form),
    Template(name="statement", size=LETTER, draw=_statement),
    Template(name="dark_slide", size=(720.0, 540.0), draw=_dark_slide),
    Template(name="label", size=(400.0, 300.0), draw=_label),
)


def photographed(rgb: Rgb, seed: int) -> Rgb:
    """The page as a camera or a poor scanner has it: uneven light, blur, grain. Not turned."""
    rng = np.random.default_rng(seed)
    height, width = rgb.shape[:2]
    light = np.linspace(rng.uniform(0.8, 0.95), 1, width)[None, :, None]
    grain = rng.normal(0, 4, rgb.shape)
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.6)
    return np.clip(soft * light * 0.97 + grain, 0, 255).astype(np.uint8)


def _resized(rgb: Rgb, scale: float) -> Rgb:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized: Any = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=way)
    return resized


def encode(rgb: Rgb, ext: str, quality: int | None = None) -> bytes:
    key = cv2.IMWRITE_WEBP_QUALITY if ext == "webp" else cv2.IMWRITE_JPEG_QUALITY
    ok, data = cv2.imencode(f".{ext}", rgb[:, :, ::-1], [] if quality is None else [key, quality])
    assert ok
    return bytes(data.tobytes())


def _cropped(rgb: Rgb, left: float, top: float, right: float, bottom: float) -> Rgb:
    height, width = rgb.shape[:2]
    x, y = round(width * left), round(height * top)
    return rgb[y : round(height * (1 - bottom)), x : round(width * (1 - right))]


COPIES: dict[str, Callable[[Rgb], bytes]] = {
    **{
        f"re-encoded: jpeg {q}": functools.partial(encode, ext="jpg", quality=q)
        for q in (50, 65, 80, 95)
    },
    **{f"re-encoded: webp {q}": functools.partial(encode, ext="webp", quality=q) for q in (60, 85)},
    **{
        f"resized: {scale}": lambda rgb, scale=scale: encode(_resized(rgb, scale), "jpg", 85)
        for scale in (0.5, 0.7, 1.4, 2.0)
    },
    "cropped: 1 % all round": lambda rgb: encode(_cropped(rgb, 0.01, 0.01, 0.01, 0.01), "png"),
    "cropped: 2 % left": lambda rgb: encode(_cropped(rgb, 0.02, 0, 0, 0), "png"),
    "cropped: 2 % below": lambda rgb: encode(_cropped(rgb, 0, 0, 0, 0.02), "png"),
}
