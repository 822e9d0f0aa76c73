"""The console command `vae-corpus`: one name in front of all entries, each loaded when called."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipelines import first_line, stopping

_USAGE = """\
usage: vae-corpus COMMAND [ARGUMENT ...]

{commands}

vae-corpus COMMAND --help tells all of one command.

Tab completion of commands and flags (pip install 'vae-corpus[completion]'):
  bash   vae-corpus --completion bash > ~/.local/share/bash-completion/completions/vae-corpus
  zsh    vae-corpus --completion zsh > DIR/_vae-corpus, with DIR in $fpath
  tcsh   vae-corpus --completion tcsh > FILE, and `source FILE` in ~/.tcshrc
"""
_SHELLS = ("bash", "zsh", "tcsh")


@dataclass(frozen=True, kw_only=True)
class Command:
    """The module whose `main(argv)` is called, and what is put before the arguments."""

    module: str
    about: str
    before: tuple[str, ...] = ()


COMMANDS = {
    "build": Command(module="pipelines.build_corpus", about="build a corpus, or go on with one"),
    "estimate": Command(
        module="pipelines.build_corpus",
        about="what a build would keep, cost and take, from a sample",
        before=("--estimate",),
    ),
    "explain": Command(module="pipelines.explain", about="what became of an image, and why"),
    "take-down": Command(module="pipelines.take_down", about="take images out of a corpus"),
    "score": Command(module="filters.clarity.__main__", about="clarity of pictures, as a table"),
    "text": Command(
        module="filters.text_density.__main__", about="text density of pictures, as a table"
    ),
    "render": Command(module="renderers.synth_text", about="pages of synthetic text"),
    "fonts": Command(module="fonts.catalog", about="the usable faces among font files"),
    "train": Command(module="vae_training.train", about="train an autoencoder on a corpus"),
    "export": Command(module="vae_training.state.export", about="a trained model for diffusers"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command; 2 for an unknown one."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help", "help"):
        wide = max(map(len, COMMANDS))
        lines = (f"  {name:<{wide}}  {command.about}" for name, command in COMMANDS.items())
        print(_USAGE.format(commands="\n".join(lines)), end="")
        return 0
    name, *rest = given
    if name == "--completion":
        return _completion(rest)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        print(f"error: unknown command {name}{hint} (vae-corpus --help)", file=sys.stderr)
        return 2
    return _call(name, rest)


def _call(name: str, rest: Sequence[str]) -> int:
    command = COMMANDS[name]
    if name == "build":  # as its file does: before imports that take seconds
        first_line.say()
        stopping.stop_early()
    entry: Any = importlib.import_module(command.module).main
    sys.argv[0] = f"vae-corpus {name}"  # what helps and errors call the program
    settings = importlib.import_module("vae_corpus.settings")
    code: int = settings.run(entry, [*command.before, *rest])
    return code


def _completion(rest: Sequence[str]) -> int:
    if len(rest) != 1 or rest[0] not in _SHELLS:
        said = " ".join(rest) or "nothing"
        print(f"error: --completion takes one of {', '.join(_SHELLS)}, not {said}", file=sys.stderr)
        return 2
    try:
        import shtab
    except ImportError:
        print("error: this needs shtab: pip install 'vae-corpus[completion]'", file=sys.stderr)
        return 1
    whole = argparse.ArgumentParser(prog="vae-corpus")
    parts = whole.add_subparsers()
    for name, command in COMMANDS.items():
        try:
            found = [parser_of(command)]
        except ImportError:
            found = []  # its extra is not installed: the name alone is completed
        # Such parsers bring their own -h.
        parts.add_parser(name, help=command.about, parents=found, add_help=not found)
    print(shtab.complete(whole, rest[0]))
    return 0


class _Stopped(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The parser of an entry, taken at the moment when it would read its arguments."""
    entry: Any = importlib.import_module(command.module).main
    with _stopping():
        try:
            entry([])
        except _Stopped as stopped:
            return stopped.parser
    raise TypeError(f"{command.module} reads no arguments")


@contextmanager
def _stopping() -> Iterator[None]:
    def stop(parser: argparse.ArgumentParser, *arguments: Any, **named: Any) -> Any:
        raise _Stopped(parser)

    before = argparse.ArgumentParser.parse_known_args
    argparse.ArgumentParser.parse_known_args = stop  # type: ignore[assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.parse_known_args = before  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
