"""The manifests of deploy/kubernetes as `kubectl kustomize` renders them."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.patience import STEP_S
from tests.unit.compose.files import REPOSITORY, TOOLS

FOLDER = REPOSITORY / "deploy" / "kubernetes"
OVERLAYS = ("small", "large")
#: what Strimzi's operator adds to Kubernetes, and whose schemas are not at hand
STRIMZI = "kafka.strimzi.io/"

Manifest = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Every resource of an overlay."""
    done = subprocess.run(
        [TOOLS / "kubectl", "kustomize", FOLDER / "overlays" / overlay],
        capture_output=True,
        text=True,
        timeout=STEP_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "kustomize warns"
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, Manifest]:
    """Name to resource."""
    return {m["metadata"]["name"]: m for m in rendered(overlay) if m["kind"] in kinds}


def pods(overlay: str) -> dict[str, Manifest]:
    """Name of the workload to its pod template."""
    return {name: m["spec"]["template"] for name, m in of_kind(overlay, "Deployment", "StatefulSet").items()}


def container(overlay: str, name: str) -> Manifest:
    """The one container of a workload."""
    (only,) = pods(overlay)[name]["spec"]["containers"]
    return dict(only)


def environment(overlay: str, name: str) -> dict[str, str]:
    """What a container's process sees; a secret is ``secret:KEY``."""
    found: dict[str, str] = {}
    for source in container(overlay, name).get("envFrom", ()):
        found |= of_kind(overlay, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    for entry in container(overlay, name)["env"]:
        if "value" in entry:
            # Kubernetes replaces $(NAME); two dollar signs are one.
            found[entry["name"]] = entry["value"].replace("$$", "$")
        elif "secretKeyRef" in entry["valueFrom"]:
            found[entry["name"]] = f"secret:{entry['valueFrom']['secretKeyRef']['key']}"
        else:
            found[entry["name"]] = "field"
    return found


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector picks what carries these labels."""
    wanted = selector.get("matchLabels", {}).items()
    listed = (e["key"] in labels and labels[e["key"]] in e["values"] for e in selector.get("matchExpressions", ()))
    return all(labels.get(key) == value for key, value in wanted) and all(listed)
