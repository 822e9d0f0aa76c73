"""The console command: what it fronts, how it answers, and how fast."""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from pipelines import commands
from pipelines.config import CorpusConfig
from vae_corpus import settings

ROOT = Path(__file__).parents[2]


def test_help_names_every_command_without_loading_any() -> None:
    code = (
        "import sys; from pipelines.commands import main; main(['--help']);"
        "heavy = {'numpy', 'pydantic', 'ray', 'duckdb', 'torch', 'cv2'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10  # a machine at work; alone it is a tenth of a second
    for name in [
        "build",
        "estimate",
        "explain",
        "score",
        "text",
        "render",
        "fonts",
        "train",
        "export",
    ]:
        assert f"  {name} " in done.stdout


def test_the_command_is_installed_by_name() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"vae-corpus": "pipelines.commands:main"}


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["explian"]) == 2
    assert "did you mean explain?" in capsys.readouterr().err


def test_a_command_gets_its_arguments_and_its_errors_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["explain", str(tmp_path), "x"]) == 1
    assert "no corpus.json" in capsys.readouterr().err
    assert commands.main(["build", "--sead", "1"]) == 2
    assert "did you mean --seed" in capsys.readouterr().err


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_has_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in ("train", "export"):
        pytest.importorskip("torch")
    with pytest.raises(SystemExit) as stop:
        commands.main([name, "--help"])
    assert stop.value.code == 0
    assert "usage: " in capsys.readouterr().out


def test_estimate_is_the_build_with_its_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    sources = f"[{{name: a, type: folder, uri: {tmp_path / 'photos'}}}]"
    argv = ["--sources", sources, "--out", str(tmp_path / "corpus"), "--score.text", "false"]
    assert commands.main(["estimate", *argv]) == 1
    assert "no files at" in capsys.readouterr().err
    assert not (tmp_path / "corpus").exists()


def test_completion_knows_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert commands.main(["--completion", "bash"]) == 0
    text = capsys.readouterr().out
    assert "explain" in text and "--plan.min_clarity" in text and "--open" in text
    assert commands.main(["--completion", "fish"]) == 2
    assert "bash, zsh, tcsh" in capsys.readouterr().err


def test_nested_sections_explain_themselves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        settings.load(CorpusConfig, ["--help"], description="")
    text = capsys.readouterr().out
    about = CorpusConfig.model_fields["score"].description
    assert about is not None and text.count(about) == 1
    assert "score.ocr:\n  the OCR engine" in text
    assert "synth.extras:\n  tilt, shadows" in text
    assert max(map(len, text.splitlines())) <= 100
