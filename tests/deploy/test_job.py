"""The RayJob's command on a cluster of the RayJob's shape, without Kubernetes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.files import documents
from tests.pictures import jpeg, scene
from tests.ray_cluster import BIN, environment, free_port, head, node, wait_for_jobs

pytestmark = pytest.mark.slow


def test_it_runs_on_a_head_without_cpus_in_the_image_s_folder(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        (pictures / f"{number}.jpg").write_bytes(jpeg(scene(300, 280, number), 95))
    config = {
        "out": str(tmp_path / "corpus"),
        "sources": [{"name": "a", "type": "folder", "uri": str(pictures)}],
        "score": {"text": False},
        "plan": {"min_clarity": 0.0},
        "synth": {"samples": {}},
        "engine": {"workers": 1},
    }
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(config))
    spec = documents("rayjob.yaml")[1]["spec"]
    # Nodes begin in the project's folder, as the pods do in that of the image; there is no other
    # way from the submitter, who is elsewhere, to the code.
    words = shlex.split(spec["entrypoint"])
    command = [sys.executable, *words[1:-1], str(tmp_path / Path(words[-1]).name)]
    runtime = json.dumps(yaml.safe_load(spec["runtimeEnvYAML"]))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    submit = [str(BIN / "ray"), "job", "submit", "--address", url]
    with (
        head(f"--dashboard-port={port}", cpus=0) as address,
        node(f"--address={address}", "--num-cpus=1"),
    ):
        wait_for_jobs(url)
        done = subprocess.run(
            [*submit, "--runtime-env-json", runtime, "--", *command],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert (tmp_path / "corpus" / "curriculum.json").is_file()
    assert list((tmp_path / "corpus" / "shards").rglob("*.tar"))
