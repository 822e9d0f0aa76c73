"""Keep objects that live as long as the process out of garbage collection."""

from __future__ import annotations

import atexit
import gc


def keep_loaded() -> None:
    """Freeze all objects: call once when fonts, texts and compiled code are loaded.

    To scan them in every collection costs a tenth of the time of a page.
    """
    gc.freeze()
    # Some libraries complain of leaks when what they made outlives them.
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)
