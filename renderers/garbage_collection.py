"""Spare the garbage collector what stays for as long as the process."""

from __future__ import annotations

import atexit
import gc


def keep_loaded() -> None:
    """Call once fonts, texts and compiled code are loaded: they are no longer looked through.

    Looking through them again and again costs a tenth of the time of a page, and half of the time
    in which labels become lists.
    """
    gc.freeze()
    # Some libraries complain of leaks when what they made outlives them.
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)
