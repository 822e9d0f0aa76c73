"""Debian packages of fonts that write English or simplified Chinese, with their licences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FontPackage:
    """A Debian package, what its faces write ("en", "zh"), their look and their licence."""

    name: str
    writes: tuple[str, ...]
    licence: str
    about: str


PACKAGES = tuple(
    FontPackage(name=name, writes=writes, licence=licence, about=about)
    for name, writes, licence, about in (
        ("fonts-noto-cjk", ("en", "zh"), "OFL-1.1", "Noto Sans, Serif, Mono CJK; clear from 7 px"),
        ("fonts-wqy-microhei", ("en", "zh"), "Apache-2.0 / GPL-3+ with font exception", "sans"),
        ("fonts-wqy-zenhei", ("en", "zh"), "GPL-2 with font exception", "sans and mono"),
        ("fonts-lxgw-wenkai", ("en", "zh"), "OFL-1.1", "Kai, three weights; pale below 9 px"),
        ("fonts-arphic-gbsn00lp", ("en", "zh"), "Arphic", "Song; simplified characters only"),
        ("fonts-arphic-ukai", ("en", "zh"), "Arphic", "Kai; pale below 9 px"),
        ("fonts-dejavu-core", ("en",), "Bitstream-Vera", "sans, serif, mono"),
        ("fonts-liberation2", ("en",), "OFL-1.1", "sans, serif, mono as in office documents"),
        ("fonts-lato", ("en",), "OFL-1.1", "sans, eighteen weights and slants"),
        ("fonts-inter-variable", ("en",), "OFL-1.1", "sans, variable: nine weights and slants"),
    )
)
