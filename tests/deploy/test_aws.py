"""`ray up deploy/aws/cluster.yaml`: taken by Ray's launcher and by what EC2 says of a request.

Neither is asked over the network: Ray brings its schema and launcher, botocore what EC2 takes, and
moto plays EC2 with the real list of its instance types. What no test here can see: whether images,
parameters of AMIs and spot capacity are there.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

from pipelines.workers.socket_path import check_socket_path
from tests.deploy.files import DEPLOY, ROOT, documents, project, read

Config = dict[str, Any]


@pytest.fixture
def cluster() -> Config:
    (config,) = documents("aws/cluster.yaml")
    return config


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """EC2 and IAM in this process, with the roles that the README makes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with mock_aws():
        iam = boto3.client("iam")
        for name in set(re.findall(r"--instance-profile-name (\S+)", read("README.md"))):
            iam.create_instance_profile(InstanceProfileName=name)
        yield


def test_rays_own_check_takes_it_and_no_misspelling(cluster: Config) -> None:
    validate_config(prepare_config(cluster))
    cluster["available_node_types"]["cpu"]["max_worker"] = 3
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config(cluster))


def test_ec2_knows_every_field_of_each_node(cluster: Config) -> None:
    service = botocore.session.get_session().get_service_model("ec2")
    shape = service.operation_model("RunInstances").input_shape

    def report(node: Config) -> str:
        asked = {"MinCount": 1, "MaxCount": 1, **node}
        return str(ParamValidator().validate(asked, shape).generate_report())

    nodes = {k: t["node_config"] for k, t in cluster["available_node_types"].items()}
    assert {k: report(node) for k, node in nodes.items()} == dict.fromkeys(nodes, "")
    assert "Unknown parameter" in report({"InstanceTyp": "x"})


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_ray_starts_these_nodes(cluster: Config) -> None:
    config = AWSNodeProvider.fillout_available_node_types_resources(prepare_config(cluster))
    have = {name: kind["resources"] for name, kind in config["available_node_types"].items()}
    # No worker on the head; GPUs where they are said to be, and nowhere else.
    assert have["head"]["CPU"] == 0 and have["cpu"]["CPU"] >= 8 and have["gpu"]["GPU"] >= 1
    assert "GPU" not in have["head"] | have["cpu"]
    config = bootstrap_aws(config)
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    started = {}
    for name, kind in config["available_node_types"].items():
        (instance,) = provider.create_node(copy.deepcopy(kind["node_config"]), {}, 1).values()
        profile = instance.iam_instance_profile["Arn"].rsplit("/", 1)[-1]
        started[name] = (instance.instance_lifecycle, profile)
    # Lost workers cost a unit, a lost head the build.
    assert started == {
        "head": (None, "vae-corpus-head"),
        "cpu": ("spot", "vae-corpus-worker"),
        "gpu": ("spot", "vae-corpus-worker"),
    }


def test_gpus_cost_nothing_unless_asked_for(cluster: Config) -> None:
    kinds = cluster["available_node_types"]
    assert {name: kind["max_workers"] for name, kind in kinds.items() if name != "cpu"} == {
        "head": 0,
        "gpu": 0,
    }
    assert 0 < kinds["cpu"]["max_workers"] <= cluster["max_workers"]


@pytest.mark.parametrize("part", ["head", "worker"])
def test_ray_start_knows_its_flags(cluster: Config, part: str) -> None:
    stop, begin = cluster[f"{part}_start_ray_commands"]
    ulimit, command = begin.split("; ")
    assert (stop, ulimit.split()[0]) == ("ray stop", "ulimit")
    words = shlex.split(command.replace("$RAY_HEAD_IP", "10.0.0.1"))
    assert words[:2] == ["ray", "start"]
    given = start.make_context("start", words[2:]).params
    assert given["head"] == (part == "head")
    # Jobs are programs: whoever reaches the dashboard may run them.
    assert given["dashboard_host"] in (None, "127.0.0.1", "localhost")


def test_temporary_files_go_to_the_local_disk(cluster: Config) -> None:
    options = [words for o in cluster["docker"]["run_options"] if (words := shlex.split(o))]
    given = dict(v.split("=") for flag, v in options if flag == "--env")
    (volume,) = [v.split(":")[0] for flag, v in options if flag == "--volume"]
    assert given["TMPDIR"] == volume
    check_socket_path(given)
    (mount,) = [c for c in cluster["initialization_commands"] if "mkfs" in c]
    # A disk with files on it is not formatted again.
    assert mount.index(f"mountpoint -q {volume} ||") < mount.index("mkfs")


def test_what_is_installed_from_is_mounted(cluster: Config) -> None:
    mounts = {k.removeprefix("/home/ray/vae-corpus/"): v for k, v in cluster["file_mounts"].items()}
    assert all(remote == local and (ROOT / local).exists() for remote, local in mounts.items())
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    about = project()
    needed = {name.split(".")[0] for name in packages["packages"]}
    needed |= {"pyproject.toml", "constraints.txt", "deploy", about["readme"]}
    assert set(mounts) == needed | set(about["license-files"])


def test_shell_is_sound(cluster: Config) -> None:
    commands = [c for key, value in cluster.items() if key.endswith("_commands") for c in value]
    assert len(commands) >= 8
    for command in [*commands, read("install.sh")]:
        subprocess.run(["bash", "-n"], input=command, text=True, check=True)


def test_roles_allow_what_the_cluster_needs(cluster: Config) -> None:
    policies = {p.stem: json.loads(p.read_text()) for p in (DEPLOY / "aws").glob("*-policy.json")}
    assert set(policies) == {"head-policy", "worker-policy"}
    (to_pass,) = [s for s in policies["head-policy"]["Statement"] if s["Action"] == "iam:PassRole"]
    kinds = cluster["available_node_types"]
    worker = kinds["cpu"]["node_config"]["IamInstanceProfile"]["Name"]
    assert to_pass["Resource"].endswith(f":role/{worker}")
    # A worker opens what strangers made: no statement of its role reaches beyond the bucket.
    for statement in policies["worker-policy"]["Statement"]:
        assert statement["Resource"].startswith("arn:aws:s3:::YOUR-BUCKET")
