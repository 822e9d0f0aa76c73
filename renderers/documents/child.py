"""The process that `process.Renderings` starts: draws the pages that it is asked for.

`python -m renderers.documents.child FD` takes pickled `Tools` and then requests from a socket, and
answers each: `done` with a result, `fault` (slug, why), `missing` with words for people, `unread`
(number, words) when storage fails.
"""

from __future__ import annotations

import ctypes
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from renderers.documents.opening import Opener
from renderers.documents.page import DocumentFault, RendererMissing

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer until whoever asks is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C is for whoever asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(int(sys.argv[1])) as asked:
        opener = Opener(pickle.loads(asked.recv_bytes()))
        try:
            while True:
                answer = _answer(opener, *pickle.loads(asked.recv_bytes()))
                asked.send_bytes(pickle.dumps(answer, protocol=5))
        except EOFError:
            opener.close()


def _answer(opener: Opener, what: str, about: Any, *more: Any) -> Any:
    try:
        if what == "version":
            return "done", opener.version(about)
        document = opener.get(about)
        return "done", document.pages if what == "pages" else document.render(*more)
    except DocumentFault as fault:
        return "fault", (fault.slug, fault.why)
    except RendererMissing as missing:
        return "missing", str(missing)
    except OSError as error:
        return "unread", (error.errno, error.strerror or str(error))
    except MemoryError:
        return "fault", ("too_much_memory", "the page takes more memory than it may have")
    except Exception as error:  # whatever a library says of a foreign file is a fault of the file
        return "fault", ("broken_document", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
