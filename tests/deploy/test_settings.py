"""What both ways to a cluster share: the settings, the command, the versions, the image."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from pipelines.config import CorpusConfig
from pipelines.workers.tasks import EngineSettings
from tests.deploy.files import DEPLOY, ROOT, documents, pinned, project, ray_images, read
from vae_corpus import settings, storage

SCRIPT = ["python", "pipelines/build_corpus.py"]


def loaded(*flags: str) -> CorpusConfig:
    return settings.load(CorpusConfig, list(flags), description="", epilog="")


def commands(start: str) -> list[list[str]]:
    """Commands of the README that begin so, lines that go on joined."""
    text = read("README.md").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(start)]


def test_the_settings_are_those_of_a_build() -> None:
    config = loaded("--config", str(DEPLOY / "corpus.yaml"))
    assert not storage.is_local(config.out)
    assert len(config.sources) >= 3
    assert not any(storage.is_local(source.uri) for source in config.sources)
    # What is made on the way to a worker takes longer than on one machine.
    assert config.engine.start_timeout_s > EngineSettings().start_timeout_s
    assert config.engine.workers is None


def test_the_settings_for_gpus_are_the_lines_that_are_left_out() -> None:
    text = read("corpus.yaml")
    with_gpus, changed = re.subn(
        r"^( *)# (gpus_per_worker|score): ", r"\1\2: ", text, flags=re.MULTILINE
    )
    assert changed == 2
    config = CorpusConfig.model_validate(yaml.safe_load(with_gpus))
    assert config.score.ocr.device == "cuda" and 0 < config.engine.gpus_per_worker <= 1


@pytest.mark.parametrize("start", ["ray job submit", "python pipelines/build_corpus.py"])
def test_commands_of_the_readme_have_real_flags(start: str) -> None:
    found = commands(start)
    assert found
    for words in found:
        at = words.index(SCRIPT[1])
        assert words[at - 1 : at + 1] == SCRIPT
        given = [word for word in words[at + 1 :] if word != "--estimate"]
        assert loaded(*given).sources
    submitted = commands("ray job submit")
    assert all(words[3:6] == ["--working-dir", ".", "--"] for words in submitted)


def test_the_entrypoint_of_the_rayjob_is_the_same_command(tmp_path: Path) -> None:
    entrypoint = shlex.split(documents("rayjob.yaml")[1]["spec"]["entrypoint"])
    assert entrypoint[:2] == SCRIPT and (ROOT / SCRIPT[1]).is_file()
    assert [word for word in entrypoint[2:] if word.startswith("-")] == ["--config"]
    here = [str(DEPLOY / Path(word).name) if word[0] == "/" else word for word in entrypoint[2:]]
    assert loaded(*here) == loaded("--config", str(DEPLOY / "corpus.yaml"))


@pytest.mark.parametrize("name", ["aws/cluster.yaml", "Dockerfile"])
def test_images_have_the_ray_and_python_of_the_project(name: str) -> None:
    about = project()
    (ray,) = [r for d in about["dependencies"] if (r := Requirement(d)).name == "ray"]
    found = ray_images(read(name))
    assert found
    for version, python in found:
        assert version == pinned("ray") and ray.specifier.contains(version)
        assert Requirement(f"python{about['requires-python']}").specifier.contains(python)
        assert any(c.endswith(f":: {python}") for c in about["classifiers"])


def test_images_of_the_rayjob_bear_the_version_of_the_project() -> None:
    text = read("rayjob.yaml")
    tags = re.findall(r"image: \S+:(\S+)", text)
    assert len(tags) == 3
    assert {Version(tag.removesuffix("-gpu")) for tag in tags} == {Version(project()["version"])}
    built = {words[words.index("-t") + 1] for words in commands("docker build")}
    assert built == set(re.findall(r"image: (\S+)", text))


def test_nodes_install_extras_that_there_are() -> None:
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", read("install.sh"))
    assert set(extras.split(",")) <= set(project()["optional-dependencies"])
    # Settings that a cluster is given need these: stores, text, fonts, PDF.
    assert {"s3", "ocr", "render", "documents"} <= set(extras.split(","))


def test_working_directory_of_the_image_is_that_of_the_pods() -> None:
    (folder,) = re.findall(r"^WORKDIR (\S+)$", read("Dockerfile"), re.MULTILINE)
    assert set(re.findall(r"workingDir: (\S+)", read("rayjob.yaml"))) == {folder}


def test_no_file_holds_a_key() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"AKIA|aws_secret_access_key|AWS_SECRET", text), path
