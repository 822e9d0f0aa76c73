from __future__ import annotations

from filters.text_sketch import MIN_CHARS, text_sketch
from pipelines.planning.settings import PlanSettings

LIMIT = PlanSettings().duplicate_text_runs
CLAUSE = "The hirer keeps the machine dry and clean, and gives it back on day {n} before noon. "
LONG = "".join(CLAUSE.format(n=n) for n in range(40))


def apart(one: str, two: str) -> int:
    first, second = text_sketch(one), text_sketch(two)
    assert first is not None and second is not None
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()


def test_white_space_and_ligatures_do_not_count() -> None:
    other = LONG.replace(" ", " \r\n\t").replace("fi", "\ufb01")
    assert other != LONG and apart(LONG, other) == 0


def test_one_digit_in_a_long_page_counts() -> None:
    # Also where the new number stands elsewhere on the page.
    assert LIMIT < apart(LONG, LONG.replace("day 17", "day 18")) <= 10


def test_chinese_counts_by_character() -> None:
    text = "承租人应当保持机器清洁干燥，并于最后一日中午之前归还；逾期每日加收租金。" * 3
    assert apart(text, text.replace("最后一日", "最后二日", 1)) > LIMIT


def test_short_texts_have_no_sketch() -> None:
    assert text_sketch(" ".join("a" * (MIN_CHARS - 1))) is None
    assert text_sketch("a" * MIN_CHARS) is not None
