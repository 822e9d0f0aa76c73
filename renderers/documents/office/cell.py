"""Shut this process in: no network, and no files but those it needs. Linux only, as far as it goes.

Documents name pictures, templates and data that lie elsewhere, and no setting of LibreOffice keeps
it from all of them (7.4: the ground of a paragraph, the filling of a shape, a picture in an SVG).
Landlock (kernel 5.13, network from 6.7) does, and a network namespace of its own (where the system
lets users make one). Whatever of the two there is is taken.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
# System calls, of the same number on all architectures that came after 2000 (and on x86).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_REMOVE_FOLDER = 1 << 4
_READING = _EXECUTE | _READ_FILE | _READ_DIR
# What each version of Landlock knows of files: all of 1, REFER, TRUNCATE.
_FILE_ACCESS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_ANY_TCP = 0b11
# Of the system: programs, libraries and their settings, nothing that anyone wrote.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/libreoffice"),
    *("/etc/nsswitch.conf", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices"),
    *("/var/lib/libreoffice", "/var/spool/libreoffice"),
)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def shut_in(readable: Iterable[Path], writable: Path) -> None:
    """From now on this process reads `readable` and the system's programs, writes `writable`.

    To be called while it has one thread. Where the system has no such means it does nothing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        _leave_network()
    with contextlib.suppress(OSError):
        _allow_files([*map(Path, _SYSTEM), *readable], writable)


def _leave_network() -> None:
    user, group = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _allow_files(readable: Iterable[Path], writable: Path) -> None:
    version = _call("syscall", _CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    everything = _FILE_ACCESS[min(version, max(_FILE_ACCESS))]
    ruleset = _Ruleset(files=everything, network=_ANY_TCP if version >= 4 else 0)
    size = ctypes.c_size_t(ctypes.sizeof(ruleset) if version >= 4 else 8)
    rules = _call("syscall", _CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    # The process is to remove its folder at the end.
    writing = [(writable, everything), (writable.parent, _REMOVE_FOLDER)]
    for path, allowed in [*((path, _READING) for path in readable), *writing]:
        try:
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if not path.is_dir():
            allowed &= _EXECUTE | _READ_FILE
        rule = _Beneath(allowed=allowed, folder=folder)
        _call("syscall", _ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(folder)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("syscall", _RESTRICT_SELF, rules, 0)
    os.close(rules)


def _call(name: str, *arguments: object) -> int:
    """A function of the C library; OSError where it fails."""
    result = int(getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
