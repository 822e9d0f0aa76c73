from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from pipelines.config import CorpusConfig
from vae_corpus import settings
from vae_corpus.settings import Settings, SettingsError


class Inner(Settings):
    speed: float = Field(1.0, ge=0, description="how fast")
    label: str = Field("none", description="a name")


class Outer(Settings):
    inner: Inner = Field(Inner(), description="the inner part")
    names: tuple[str, ...] = Field((), description="some names")
    sizes_px: tuple[int, ...] = Field((), description="some sizes")
    loud: bool = Field(False, description="say more")
    tone: Literal["high", "low", "none"] = Field("low", description="how it sounds")
    files: tuple[Path, ...] = Field((), description="what to read")


def load(*argv: str) -> Outer:
    return settings.load(Outer, argv, description="a test")


def test_flags_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("inner: {speed: 2, label: a}\n")
    loaded = load("--config", str(file), "--inner.speed", "3")
    assert (loaded.inner.speed, loaded.inner.label) == (3.0, "a")


def test_text_stays_text_and_lists_are_read() -> None:
    loaded = load("--inner.label", "1e3", "--names", "[a, b]")
    assert loaded.inner.label == "1e3"
    assert loaded.names == ("a", "b")


def test_none_is_a_word_where_it_is_one_of_the_words() -> None:
    assert load("--tone", "none").tone == "none"
    with pytest.raises(SettingsError, match="speed.*got None"):
        load("--inner.speed", "none")


def test_several_values_are_several_words_or_one_list() -> None:
    assert load("--names", "a", "[b").names == ("a", "[b")
    assert load("--names", "one").names == ("one",)
    assert load("--names", "[]").names == ()
    assert load("--sizes_px", "72", "100").sizes_px == (72, 100)
    assert load("--sizes-px", "[72]", "--loud").sizes_px == (72,)
    with pytest.raises(SettingsError, match="sizes_px.0.*valid integer.*got 'x'"):
        load("--sizes_px", "x", "1")


def test_a_flag_alone_is_true_and_takes_no_path_behind_it() -> None:
    def given(*argv: str) -> Outer:
        return settings.load(Outer, argv, description="", positional=("files",))

    assert given("a.png", "--loud").loud
    assert given("--loud", "a.png", "b.png").files == (Path("a.png"), Path("b.png"))
    assert not given("--loud", "false", "a.png").loud
    assert not given("--loud=false", "a.png").loud


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("inner: {speed: 2}\nloud: true\ninner: {label: a}\n")
    with pytest.raises(SettingsError, match="inner stands twice(.|\n)*line 3"):
        load("--config", str(file))
    file.write_text("inner: {speed: 2, speed: 3}\n")
    with pytest.raises(SettingsError, match="speed stands twice"):
        load("--config", str(file))


def test_sections_and_lists_without_lines_are_as_if_not_there(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("inner:\n#  speed: 2\nnames:\n")
    loaded = load("--config", str(file))
    assert loaded.inner.speed == 1.0 and loaded.names == ()
    file.write_text("loud:\n")
    with pytest.raises(SettingsError, match="loud: Input should be a valid boolean"):
        load("--config", str(file))


def test_what_has_a_place_may_stand_in_a_file_and_is_named_when_missing(tmp_path: Path) -> None:
    class Asked(Settings):
        place: str = Field(description="where")
        files: tuple[Path, ...] = Field(min_length=1, description="what")
        out: Path = Field(description="to where")

    def given(*argv: str) -> Asked:
        return settings.load(Asked, argv, description="", positional=("place", "files"))

    file = tmp_path / "c.yaml"
    file.write_text("place: here\nfiles: [a, b]\nout: there\n")
    assert given("--config", str(file)).files == (Path("a"), Path("b"))
    assert given("--config", str(file), "elsewhere").place == "elsewhere"
    assert given("here", "a", "b", "--out", "x").files == (Path("a"), Path("b"))
    with pytest.raises(SettingsError, match="PLACE is missing.*FILES is missing.*--out is missing"):
        given()
    with pytest.raises(SettingsError, match="PLACE is given by its place, without --place"):
        given("--place", "here", "a", "--out", "x")


def test_choices_are_shown_and_wrong_ones_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="tone: .*'high', 'low' or 'none'; got 'loud'"):
        load("--tone", "loud")
    with pytest.raises(SystemExit):
        load("--help")
    text = capsys.readouterr().out
    assert "--tone high|low" in text and "--names TEXT [TEXT ...]" in text


def test_unknown_flag_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"--inner\.sped.*did you mean --inner\.speed"):
        load("--inner.sped", "3")


def test_unknown_key_in_the_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("inner: {lable: a}\n")
    with pytest.raises(SettingsError, match="lable; did you mean label"):
        load("--config", str(file))


def test_unknown_key_inside_a_source_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="colum; did you mean column"):
        settings.load(
            CorpusConfig,
            ["--sources", "[{name: a, type: parquet, uri: x, colum: image}]"],
            description="",
        )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--inner.speed", "-1"), "inner.speed.*greater than or equal to 0.*got -1"),
        (("--inner.speed", "fast"), "inner.speed.*number.*got 'fast'"),
        (("--config", "/nowhere.yaml"), "cannot read the settings file /nowhere.yaml"),
        (("--names", "[a"), "cannot read .* as YAML"),
    ],
)
def test_wrong_values_say_what_was_got(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(*argv)


def test_help_explains_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        settings.load(CorpusConfig, ["--help"], description="")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for name in ("--plan.min_clarity", "--pack.shard_bytes", "--engine.workers", "--seed"):
        assert name in text


def test_every_setting_of_the_build_is_described() -> None:
    for name, field in settings.leaves(CorpusConfig):
        assert field.description, name


def test_a_gpu_for_ocr_needs_workers_that_have_one() -> None:
    cuda = {"ocr": {"device": "cuda"}}
    with pytest.raises(ValueError, match="set engine.gpus_per_worker"):
        CorpusConfig(score=cuda)
    assert CorpusConfig(score=cuda, engine={"gpus_per_worker": 0.25}).score.ocr.device == "cuda"
    assert CorpusConfig(score=cuda, engine={"workers": 0}).score.ocr.device == "cuda"


@pytest.mark.parametrize("text", ["a: " + "[" * 10_000, "a: " + "9" * 10_000, "? [1]\n: 2\n"])
def test_yaml_that_nobody_means_is_an_error_for_people(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"x\.yaml is not valid YAML"):
        load("--config", str(path))
