"""`kubectl apply -f deploy/rayjob.yaml`: what is checked of it without a cluster.

Pods, the account and the settings' map: the API schemas of Kubernetes, out of kubernetes-validate,
where an unknown field is an error. What the autoscaler reads: Ray's own code for KubeRay. Fields of
the RayJob itself come from no installed package: the shapes below are those that we use of the
definition ray.io_rayjobs of KubeRay v1.7.0, and the rules those of its operator.
"""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr as derive_autoscaling,
)
from ray.scripts.scripts import start

from pipelines import stopping
from tests.deploy.files import documents, pinned, read

Fields = dict[str, Any]
# An older Kubernetes, and the newest that the schemas know.
KUBERNETES = ("1.34", "1.37")

_GROUP = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": {str: str},
    "template": {str: object},
}
_JOB = {
    "entrypoint": str,
    "backoffLimit": int,
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "preRunningDeadlineSeconds": int,
    "runtimeEnvYAML": str,
    "rayClusterSpec": {
        "rayVersion": str,
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": {"version": str, "idleTimeoutSeconds": int},
        "headGroupSpec": {key: _GROUP[key] for key in ("rayStartParams", "template")},
        "workerGroupSpecs": [_GROUP],
    },
}


def faults(value: Any, shape: Any, where: str = "spec") -> Iterator[str]:
    """Where a value has another type than its shape, or a field that the shape does not have."""
    if isinstance(shape, list):
        for i, part in enumerate(value):
            yield from faults(part, shape[0], f"{where}[{i}]")
    elif isinstance(shape, dict):
        for key, part in value.items():
            inner = shape.get(key, shape.get(str))
            if inner is None:
                yield f"{where}.{key}: no such field"
            else:
                yield from faults(part, inner, f"{where}.{key}")
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield f"{where}: {value!r} is no {shape.__name__}"


@pytest.fixture
def account() -> Fields:
    return documents("rayjob.yaml")[0]


@pytest.fixture
def job() -> Fields:
    return documents("rayjob.yaml")[1]


def groups(job: Fields) -> dict[str, Fields]:
    cluster = job["spec"]["rayClusterSpec"]
    workers = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"], **workers}


def pods(job: Fields) -> dict[str, Fields]:
    return {name: group["template"]["spec"] for name, group in groups(job).items()}


def test_fields_are_those_of_kuberay(job: Fields) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert list(faults(job["spec"], _JOB)) == []
    # The operator makes names of pods and services out of it.
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,45}[a-z0-9])?", job["metadata"]["name"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(shutdownAfterJobFinish=True),
        lambda spec: spec.update(backoffLimit="2"),
        lambda spec: spec["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplica=3),
        lambda spec: spec["rayClusterSpec"]["headGroupSpec"]["rayStartParams"].update(x=0),
    ],
)
def test_a_misspelt_field_would_be_found(job: Fields, spoil: Callable[[Fields], None]) -> None:
    spoil(job["spec"])
    assert len(list(faults(job["spec"], _JOB))) == 1


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_the_pods_and_the_account(
    job: Fields, account: Fields, version: str
) -> None:
    kubernetes_validate.validate(account, version, strict=True)
    for spec in pods(job).values():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
        kubernetes_validate.validate(pod, version, strict=True)
        wrong = copy.deepcopy(pod)
        wrong["spec"]["containers"][0]["workDir"] = "/"
        with pytest.raises(kubernetes_validate.ValidationError, match="workDir"):
            kubernetes_validate.validate(wrong, version, strict=True)


def test_rays_autoscaler_reads_what_was_meant(job: Fields) -> None:
    spec = job["spec"]["rayClusterSpec"]
    read_back = derive_autoscaling({"metadata": {"name": "x", "namespace": "y"}, "spec": spec})
    kinds = read_back["available_node_types"]
    # No worker on the head, GPUs only where they are asked for, and none until somebody does.
    assert kinds["headgroup"]["resources"]["CPU"] == 0
    assert kinds["cpu"]["resources"]["CPU"] >= 1 and kinds["cpu"]["max_workers"] > 0
    assert kinds["gpu"]["resources"]["GPU"] == 1 and kinds["gpu"]["max_workers"] == 0
    assert all("GPU" not in kinds[name]["resources"] for name in ("headgroup", "cpu"))
    assert 10 <= read_back["idle_timeout_minutes"] <= 60


def test_the_operators_rules_hold(job: Fields) -> None:
    spec = job["spec"]
    assert spec["preRunningDeadlineSeconds"] > 0 <= spec["ttlSecondsAfterFinished"]
    assert spec["shutdownAfterJobFinishes"] and spec["backoffLimit"] > 0
    # With the second autoscaler a pod that ends is replaced, never restarted.
    assert spec["rayClusterSpec"]["autoscalerOptions"]["version"] == "v2"
    assert all(pod["restartPolicy"] == "Never" for pod in pods(job).values())
    for group in spec["rayClusterSpec"]["workerGroupSpecs"]:
        assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert set(yaml.safe_load(spec["runtimeEnvYAML"])) == {"env_vars"}


def test_ray_start_knows_the_parameters(job: Fields) -> None:
    known = {flag for option in start.params for flag in option.opts}
    given = {f"--{name}" for group in groups(job).values() for name in group["rayStartParams"]}
    assert given and given <= known


def test_versions_of_ray_are_one(job: Fields) -> None:
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned("ray")


def test_pods_are_locked_in_and_lie_where_they_should(job: Fields, account: Fields) -> None:
    for name, pod in pods(job).items():
        assert pod["serviceAccountName"] == account["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        (container,) = pod["containers"]
        inner = container["securityContext"]
        assert inner == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        # Spot for what loses a unit, on demand for what loses the build.
        wanted = "on-demand" if name == "head" else "spot"
        assert pod["nodeSelector"] == {"karpenter.sh/capacity-type": wanted}
        # Memory that is promised is there: else the kernel ends pods of a full node.
        needs = container["resources"]
        assert needs["requests"]["memory"] == needs["limits"]["memory"]
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        assert {"/tmp", "/dev/shm"} <= {m["mountPath"] for m in container["volumeMounts"]}


def test_settings_come_out_of_the_map_that_the_readme_makes(job: Fields) -> None:
    command = next(
        shlex.split(line)
        for line in read("README.md").splitlines()
        if line.strip().startswith("kubectl create configmap")
    )
    (key, file) = command[4].removeprefix("--from-file=").split("=")
    config = shlex.split(job["spec"]["entrypoint"])[3]
    for pod in pods(job).values():
        volume = next(v["name"] for v in pod["volumes"] if v.get("configMap"))
        assert {"name": volume, "configMap": {"name": command[3]}} in pod["volumes"]
        mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
        assert config == f"{mounts[volume]}/{key}"
    assert file == "deploy/corpus.yaml"


def test_a_stopped_job_has_the_time_to_end(job: Fields) -> None:
    variables = {v["name"]: v["value"] for v in pods(job)["head"]["containers"][0]["env"]}
    assert int(variables["RAY_JOB_STOP_WAIT_TIME_S"]) > stopping._GRACE_S
