"""What a process makes once and can let go."""

from __future__ import annotations

from vae_corpus.memo import forget, memo


class Browser:
    def __init__(self, name: str, *, dark: bool = False) -> None:
        self.name, self.dark, self.closed = name, dark, False

    def close(self) -> None:
        self.closed = True


def test_each_is_made_once_until_all_are_forgotten_and_closed() -> None:
    browser, size = memo(Browser), memo(lambda: [1])
    one, two, dark = browser("one"), browser("two"), browser("one", dark=True)
    assert browser("one") is one and browser("two") is two and browser("one", dark=True) is dark
    assert one is not dark and size() is size()
    before = size()
    forget()
    assert one.closed and two.closed and dark.closed
    assert browser("one") is not one and size() is not before
    forget()
    forget()


def test_what_others_may_use_is_left_open() -> None:
    browser = memo(Browser)
    one = browser("one")
    browser.forget(close=False)
    assert browser("one") is not one and not one.closed
