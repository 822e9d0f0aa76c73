"""Settings for an entry script: defaults, then a YAML file, then `--dotted.flags`, then checks.

One pydantic model describes all; its field descriptions are the `--help`. An unknown key, in the
file or on the command line, is an error that names the nearest known one. A leaf module: any
entry script of the project may use it.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from vae_corpus.redact import redacted

# Lines of a help are no longer, however wide the terminal.
_WIDE = 100
# Longer choices are named by what they are, and listed in the text.
_LONG_CHOICE = 24


class Settings(BaseModel):
    """Base of all settings: immutable, and an unknown name is an error that names the nearest."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                raise ValueError(_unknown(str(name), list(cls.model_fields)))
        return values


Model = TypeVar("Model", bound=Settings)


class SettingsError(ValueError):
    """A wrong setting; the message says which, what was got and what to do. Exit code 2."""


def load(
    model: type[Model],
    argv: Sequence[str] | None = None,
    *,
    description: str,
    epilog: str = "",
    positional: Sequence[str] = (),
    switches: Mapping[str, str] = types.MappingProxyType({}),
) -> Model:
    """Read settings from `--config FILE.yaml` and flags; SettingsError names the wrong one.

    `argv` defaults to the command line. `--help` prints every field and leaves with code 0.
    `--NAME` alone makes a setting true. What holds several values takes several words, or one list
    in YAML. A name may be written with - for _. Settings named in `positional` are given without a
    flag, in that order. `switches` are flags without a value that are no settings, by name with
    their help: it is for the caller to look whether they are given.
    """
    parser = _parser(model, description, epilog, positional)
    for name, text in switches.items():
        parser.add_argument(f"--{name}", action="store_true", dest=f"--{name}", help=text)
    known = [name for name, _ in leaves(model) if name not in positional]
    given, unknown = parser.parse_known_args(_spelled(model, argv))
    if unknown:
        name = unknown[0].split("=")[0]
        if name.removeprefix("--") in positional:
            raise SettingsError(f"{name[2:].upper()} is given by its place, without {name}")
        raise SettingsError(_unknown(name, [f"--{n}" for n in known]))
    values: dict[str, Any] = {}
    if given.config is not None:
        values = _without_empty(_read_yaml(Path(given.config)), model)
    for name, field in leaves(model):
        text = getattr(given, name)
        if text is not None and text != []:
            _set(values, name, _parse(text, field))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_readable(error, positional)) from None


def _spelled(model: type[Settings], argv: Sequence[str] | None) -> list[str]:
    """The words of a command as the parser takes them: names with _, a value for every flag."""
    fields = dict(leaves(model))
    words = list(sys.argv[1:] if argv is None else argv)
    spelled: list[str] = []
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            plain = name[2:].replace("-", "_")
            word = f"--{plain}{equals}{value}" if plain in fields else word
            spelled.append(word)
            after = words[i + 1].lower() if i + 1 < len(words) else ""
            # Without this a flag would take the path behind it for its value.
            if plain in fields and fields[plain].annotation is bool and not equals:
                spelled += [] if after in ("true", "false") else ["true"]
        else:
            spelled.append(word)
    return spelled


def describe(model: type[Settings]) -> str:
    """The fields of settings that are given in a file, for an epilogue."""
    lines: list[str] = []
    for name, field in leaves(model):
        text = f"{field.description or ''}{_default(field)}".replace("%%", "%")
        wrapped = textwrap.wrap(text, _WIDE - 21, break_on_hyphens=False) or [""]
        lines += [f"    {name if i == 0 else '':<16} {part}" for i, part in enumerate(wrapped)]
    return "\n".join(lines)


def run(main: Any, *args: Any) -> int:
    """Call an entry's work and turn a wrong setting into a message and exit code 2."""
    try:
        return int(main(*args))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def leaves(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Dotted names and fields of all settings that are no section themselves."""
    for name, field in model.model_fields.items():
        if _is_model(field.annotation):
            yield from leaves(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            yield prefix + name, field


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def sections(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names of all sections, nested ones after their own, with what each is about."""
    for name, field in model.model_fields.items():
        if _is_model(field.annotation):
            yield prefix + name, field.description or ""
            yield from sections(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]


def _parser(
    model: type[Settings], description: str, epilog: str, positional: Sequence[str] = ()
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=_Help,
        usage=" ".join(
            ["%(prog)s [--config FILE.yaml] [--NAME VALUE ...]", *map(str.upper, positional)]
        ),
    )
    parser.add_argument("--config", metavar="FILE.yaml", help="settings file; flags override it")
    about = dict(sections(model))
    groups: dict[str, Any] = {}
    for name, field in leaves(model):
        section, _, _ = name.rpartition(".")
        if section and section not in groups:
            groups[section] = parser.add_argument_group(section, about[section])
        text = (field.description or "").replace("%", "%%")
        # Given twice, a flag adds to what it has: the first values would be lost otherwise.
        several: dict[str, Any] = {} if _item(field) is None else {"nargs": "+", "action": "extend"}
        if name in positional:
            # A file may name it: what is missing is said when the settings are checked.
            nargs = "*" if several else "?"
            parser.add_argument(name, metavar=name.upper(), help=text, nargs=nargs)
            continue
        parser_or_group = groups.get(section, parser)
        parser_or_group.add_argument(
            f"--{name}", metavar=_metavar(field), help=f"{text}{_default(field)}", **several
        )
    return parser


def _item(field: FieldInfo) -> Any:
    """The type of one value where a setting holds any number of plain ones, else None."""
    if get_origin(field.annotation) is not tuple:
        return None
    first, *rest = get_args(field.annotation)
    plain = first in (str, int, float, Path) or get_origin(first) is Literal
    return first if plain and rest == [...] else None


class _Help(argparse.RawDescriptionHelpFormatter):
    """Names and texts side by side, in lines of at most 100 characters."""

    def __init__(self, prog: str) -> None:
        width = min(_WIDE, shutil.get_terminal_size().columns - 2)
        super().__init__(prog, max_help_position=min(36, width // 2), width=width)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return " (required)"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple) and value and isinstance(value[0], Settings):
        return " (default: " + ", ".join(str(getattr(v, "name", "")) for v in value) + ")"
    shown = str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, tuple):
        shown = " ".join(map(str, value))  # as it would be given
    return "" if value in (None, "", (), {}) else f" (default: {shown})".replace("%", "%%")


def _metavar(field: FieldInfo) -> str:
    annotation = _item(field) or field.annotation
    # `int | None` is given as an int.
    given = [part for part in get_args(annotation) if part is not type(None)]
    if type(None) in get_args(annotation) and len(given) == 1:
        annotation = given[0]
    if annotation is bool:
        return "[true|false]"
    values = _literals(annotation)
    if values and len("|".join(values)) <= _LONG_CHOICE:
        return "|".join(values)
    names = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
    return names.get(annotation, "VALUE") if isinstance(annotation, type) else "VALUE"


def _literals(annotation: Any) -> list[str]:
    return [str(v) for v in get_args(annotation)] if get_origin(annotation) is Literal else []


def _parse(text: str | list[str], field: FieldInfo) -> Any:
    # Text stays text ("on", "1e3" or "null" may be a name); all else is read as YAML, so that
    # lists and mappings can be given on the command line too.
    if isinstance(text, list):
        if len(text) > 1 or not (text[0].startswith("[") or text[0].lower() == "none"):
            return text  # numbers among them are read when the settings are checked
        text = text[0]
    # Among the words of a setting "none" is one of them, else the lack of a value.
    if field.annotation in (str, Path) or text in _literals(field.annotation):
        return text
    if text.lower() == "none":
        return None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"cannot read {text!r} as YAML: {error}") from None


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: the first one would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    # Beside its own errors PyYAML raises these, for numbers, keys and depths that are none.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold `name: value` lines, not a {type(values).__name__}")
    return values


def _without_empty(values: Any, model: type[Settings]) -> Any:
    """Without sections and lists whose lines are all commented out: YAML reads them as None."""
    if not isinstance(values, dict):
        return values
    kept: dict[str, Any] = {}
    for name, value in values.items():
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        if _is_model(annotation):
            if value is not None:
                kept[name] = _without_empty(value, annotation)  # type: ignore[arg-type]
        elif value is not None or get_origin(annotation) not in (tuple, dict):
            kept[name] = value
    return kept


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown setting {name}{hint} (--help lists them all)"


def _set(values: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        # A section that a file names and leaves empty reads as None.
        values[section] = values.get(section) or {}
        values = values[section]
    values[last] = value


def _readable(error: ValidationError, positional: Sequence[str] = ()) -> str:
    lines = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            flag = name.upper() if name in positional else f"--{name}"
            lines.append(f"{flag} is missing (--help tells of it)")
            continue
        got = f"; got {fault['input']!r}" if not isinstance(fault["input"], dict) else ""
        lines.append(f"{name}: {said}{got}" if name else said)
    # What was got may be a URL with a password.
    return redacted("; ".join(lines))
