"""Tables of Markdown, and how they get into a document between marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchmarks.scale_figures import Amount


def short(amount: Amount) -> str:
    """Three digits; what is missing makes it a least value, or `not measured` if it is all."""
    if not amount.known:
        return "not measured" if amount.lacks else "0"
    digits = f"{amount.known:.3g}"
    if "e" in digits or float(digits) >= 1000:
        digits = f"{float(digits):,.0f}" if amount.known >= 1 else f"{amount.known:.1e}"
    return f"≥ {digits}" if amount.lacks else digits


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = zip(*rows, strict=True)
    rule = ["---:" if all(_is_number(cell) for cell in column) else "---" for column in columns]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def _is_number(cell: str) -> bool:
    return cell == "not measured" or re.fullmatch(r"(≥ )?[\d,.]+(e-\d+)?", cell) is not None


def between_marks(text: str, tables: Mapping[str, str]) -> str:
    """The document with each table between its marks; ValueError where one has none."""
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(marked.findall(text)) != 1:
            raise ValueError(f"the document needs <!-- {name} --> and <!-- end -->, once")
        text = marked.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text
