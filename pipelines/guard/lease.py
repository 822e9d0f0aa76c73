"""One writer at a time: the lease on a corpus, a small file with a heartbeat.

Two builds with different settings on one folder would mix their shards. So a build first writes
`.building.json` there, says in it every few seconds that it goes on, and removes it at the end. Who
finds one of a process of this machine that is dead takes it over at once. Otherwise only change
tells who lives, since clocks of two machines need not agree: a lease that moves is refused, one
that stands still for a minute is taken over. A holder that was only suspended finds that out
before it commits anything: `Ticket.check`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from vae_corpus import storage

BEAT_S = 5.0
# A beat may be late by what a store or a busy interpreter needs: only a minute's silence is death.
SILENT_BEATS = 12
_LOOKS_PER_BEAT = 5


class LeaseError(RuntimeError):
    """Another build writes this corpus; the message says which and what to do. Exit code 1."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Which process holds a lease: on Linux `boot`, `namespace` and `start` name it for good."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    boot: str = ""
    namespace: str = ""
    start: int = 0
    held_s: float = 0.0
    beat: int = 0

    def text(self) -> bytes:
        return (json.dumps(asdict(self)) + "\n").encode()

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, at work for {self.held_s:.0f} s"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What the holder and its workers show before they write."""

    out: str
    path: str
    token: str

    def check(self) -> None:
        """LeaseError unless the lease is still this build's."""
        seen = _read(self.path)
        if seen is not None and self.token.encode() in seen:
            return
        if seen is None:
            raise LeaseError(
                f"the lease of this build, {self.path}, is gone: it was removed, or this process"
                f" does not see it (on a cluster every node must see {self.out}). Nothing more was"
                " written; the same command goes on from here"
            )
        raise LeaseError(
            f"another build has taken over {self.out} because this one stood still: {_who(seen)}."
            " Nothing more was written. When that build has ended, the same command makes the"
            " corpus of these settings"
        )


@contextmanager
def hold(out: str, say: Callable[[str], None]) -> Iterator[Ticket]:
    """Hold the lease on a corpus for the length of the block; LeaseError when another build does.

    `say` is told when a lease is watched or taken over, one sentence each.
    """
    path = storage.join(out, ".building.json")
    me = _myself()
    try:
        _take(out, path, me, say)
    except OSError as error:
        raise LeaseError(
            f"cannot write to {out}: {error.strerror or error}. Make it writable, or name another"
            " folder with --out"
        ) from None
    ended = threading.Event()
    beats = threading.Thread(target=_beat, args=(path, me, ended), name="lease", daemon=True)
    beats.start()
    try:
        yield Ticket(out=out, path=path, token=me.token)
    finally:
        ended.set()
        beats.join()
        # What the build did stands, whether or not this works: a lease that stays goes stale.
        with contextlib.suppress(Exception):
            seen = storage.read_bytes(path)
            if me.token.encode() in seen:
                storage.exchange(path, seen, None)


def _take(out: str, path: str, me: Holder, say: Callable[[str], None]) -> None:
    while not storage.create(path, me.text()):
        seen = _read(path)
        if seen is None:
            continue
        if me.token.encode() in seen:
            return  # written after all: only the answer to the first try was lost
        if not _is_dead_here(seen, me):
            say(f"{out} is held by another build ({_who(seen)}): watching whether it goes on")
            now = _watch(path, seen)
            if now is None:
                continue
            if now != seen:
                raise LeaseError(
                    f"another build is writing {out}: {_who(now)}. Wait until it has ended or stop"
                    " it there, then run this command again; or name another folder with --out"
                )
        if storage.exchange(path, seen, me.text()):
            say(f"took over {out} from a build that is no longer at work ({_who(seen)})")
            return


def _watch(path: str, seen: bytes) -> bytes | None:
    """The lease as soon as it differs from `seen`, or `seen` when it stays silent too long."""
    for _ in range(SILENT_BEATS * _LOOKS_PER_BEAT):
        time.sleep(BEAT_S / _LOOKS_PER_BEAT)
        now = _read(path)
        if now != seen:
            return now
    return seen


def _beat(path: str, me: Holder, ended: threading.Event) -> None:
    began = time.monotonic()
    while not ended.wait(BEAT_S):
        me = replace(me, beat=me.beat + 1, held_s=round(time.monotonic() - began, 1))
        # The place may be out of reach for a while; the next beat tries again.
        with contextlib.suppress(Exception):
            seen = storage.read_bytes(path)
            if me.token.encode() not in seen:
                return  # lost: whoever commits next finds it out
            storage.exchange(path, seen, me.text())


def _read(path: str) -> bytes | None:
    try:
        return storage.read_bytes(path)
    except FileNotFoundError:
        return None


def _parse(seen: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(seen))
    except (ValueError, TypeError):
        return None  # of another version, or its writer has not got further yet


def _who(seen: bytes) -> str:
    holder = _parse(seen)
    return str(holder) if holder else "its lease does not say which"


def _myself() -> Holder:
    return Holder(
        boot=_line("/proc/sys/kernel/random/boot_id"), namespace=_namespace(), start=_start("self")
    )


def _is_dead_here(seen: bytes, me: Holder) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    holder = _parse(seen)
    if holder is None or not (me.boot and me.namespace):
        return False
    if (holder.host, holder.boot, holder.namespace) != (me.host, me.boot, me.namespace):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives and is another user's
    # Without /proc for processes of others, nothing is known of it but that the number is taken.
    return (start := _start(str(holder.pid))) != holder.start and start != 0


def _start(pid: str) -> int:
    """When a process began, in ticks since the machine did; -1 once it has ended, 0: not known."""
    # The name stands in brackets and may hold anything; behind it come the state and figures.
    fields = _line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return 0
    return -1 if fields[0] in "ZX" else int(fields[19])


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
