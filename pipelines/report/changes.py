"""The settings of a build as a difference from the defaults, in the words of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pipelines.config import CorpusConfig
from vae_corpus import settings

# Where a corpus lies and how its tasks ran change no byte of it.
_LEFT_OUT = ("out", "engine.", "sources", "phases")
# The page names files of these settings, not the folders of the machine that they lie on.
_PATHS = ("synth.texts", "synth.fonts", "score.ocr.models", "score.ocr.python")


def changed_settings(config: CorpusConfig) -> list[dict[str, str]]:
    """`name`, `value` and `default` of every setting that is not at its default, in order."""
    rows = []
    for name, field in settings.leaves(CorpusConfig):
        if name.startswith(_LEFT_OUT):
            continue
        value, default = _value(config, name), field.get_default(call_default_factory=True)
        if _plain(value) != _plain(default):
            value, default = (_named(v) if name in _PATHS else v for v in (value, default))
            rows.append({"name": name, "value": _flag(value), "default": _flag(default)})
    return rows


def _value(config: CorpusConfig, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _named(value: Any) -> Any:
    """The last parts of paths."""
    if isinstance(value, Mapping):
        return {k: _named(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(_named(v) for v in value))
    return value.rstrip("/").rsplit("/", 1)[-1] if isinstance(value, str) else value


def _flag(value: Any) -> str:
    """As the command line reads it."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    plain = _plain(value)
    if isinstance(plain, Mapping):
        return "{" + ", ".join(f"{k}: {_flag(v)}" for k, v in plain.items()) + "}"
    if isinstance(plain, list):
        return "[" + ", ".join(_flag(v) for v in plain) + "]"
    return json.dumps(plain)
