"""The container images: both install by the same script, from the same Python, and get the files that it needs."""

import re
import tomllib

import yaml

from tests.support.paths import ROOT
from xcebra_nwb import __version__

DOCKER, APPTAINER = (ROOT / "Dockerfile").read_text(), (ROOT / "Apptainer.def").read_text()
SCRIPT = (ROOT / "containers" / "install.sh").read_text()


def test_both_images_are_made_by_the_same_script_from_the_same_python() -> None:
    for text in (DOCKER, APPTAINER):
        assert "sh /source/containers/install.sh /source" in text
    bases = set(re.findall(r"\bpython:(\d+\.\d+)[\w.-]*", DOCKER + APPTAINER))
    assert len(bases) == 1
    assert f"Programming Language :: Python :: {bases.pop()}" in project()["classifiers"]


def test_the_images_get_what_the_package_is_built_from() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set(re.findall(r"^    (\S+) /source/\1$", APPTAINER, re.MULTILINE))
    assert allowed == copied
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {path.partition("/")[0] for path in wheel["only-include"]} <= copied
    assert {"pyproject.toml", "requirements.lock", "README.md", "LICENSE", "containers"} <= copied
    assert all((ROOT / path).exists() for path in copied)


def test_the_script_installs_extras_that_exist_and_a_torch_that_the_lock_names() -> None:
    (extras,) = re.findall(r'"\$source\[([\w,]+)\]"', SCRIPT)
    assert set(extras.split(",")) <= set(project()["optional-dependencies"])
    assert re.search(r"^torch==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_the_job_for_kubernetes_names_the_image_of_this_version_and_a_command_that_exists() -> None:
    job = yaml.safe_load((ROOT / "containers" / "kubernetes.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(f"/xcebra-nwb:{__version__}")
    assert container["args"][0] == "run"


def project() -> dict[str, list[str]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
