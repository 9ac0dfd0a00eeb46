"""What is depended on: the extras, the conda environment, the lock and the version agree with pyproject.toml."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

import xcebra_nwb
from tests.support.paths import ROOT
from xcebra_nwb.core.installation import EXTRA_OF

CONDA_NAMES = {"torch": "pytorch", "snakemake": "snakemake-minimal", "matplotlib": "matplotlib-base"}
PIP_ONLY = {"ratinabox"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by canonical name."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in parsed}


def asked(*extras: str) -> list[str]:
    """What the project needs with some of its extras, and with the extras that those name."""
    lists, found = project()["project"]["optional-dependencies"], [*project()["project"]["dependencies"]]
    pending = list(extras)
    while pending:
        for line in lists[pending.pop()]:
            own = Requirement(line)
            if own.name == "xcebra-nwb":
                pending += own.extras
            else:
                found.append(line)
    return found


def locked(name: str = "requirements.lock") -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return requirements([line for line in lines if line and not line.startswith("#")])


def test_conda_environment_agrees_with_pyproject() -> None:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    from_conda = {str(spec.name.normalized): spec for spec in (MatchSpec(e) for e in entries if isinstance(e, str))}
    (from_pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    assert from_pip[-1] == "--editable ."
    wanted = requirements(asked("all"))
    expected = {CONDA_NAMES.get(name, name): str(one.specifier) for name, one in wanted.items() if name not in PIP_ONLY}
    expected["python"] = project()["project"]["requires-python"]
    found = {name: bounds(str(spec.version)) for name, spec in from_conda.items() if name != "pip"}
    assert found == {name: bounds(specifier) for name, specifier in expected.items()}
    assert requirements(from_pip[:-1]) == {name: wanted[name] for name in PIP_ONLY}


def test_every_requirement_stands_once() -> None:
    lists = [
        project()["project"]["dependencies"],
        *project()["project"]["optional-dependencies"].values(),
        asked("all"),
    ]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    names = [[Requirement(line).name for line in one] for one in lists]
    names.append([str(MatchSpec(entry).name.normalized) for entry in conda if isinstance(entry, str)])
    names.append(
        [line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().split("\n") if "==" in line]
    )
    for one in names:
        known = [canonicalize_name(name) for name in one]
        assert sorted(known) == sorted(set(known))


def test_every_optional_package_has_its_extra() -> None:
    lists = project()["project"]["optional-dependencies"]
    for package, extra in EXTRA_OF.items():
        assert package in requirements(lists[extra])
    assert set(EXTRA_OF.values()) == set(Requirement(lists["all"][0]).extras)


def bounds(specifier: str) -> set[str]:
    return set(specifier.split(","))


def test_the_lock_satisfies_pyproject() -> None:
    pins = locked()
    assert all(str(one.specifier).startswith("==") for one in pins.values())
    assert str(pins["torch"].specifier) == "==2.13.0"
    needed = [*asked("dev", "cluster"), *project()["build-system"]["requires"]]
    for name, wanted in requirements(needed).items():
        assert pinned(pins, name) in wanted.specifier, name


def pinned(pins: dict[str, Requirement], name: str) -> Version:
    return Version(str(pins[name].specifier).removeprefix("=="))


def test_the_lock_is_complete() -> None:
    pins, pending, seen = locked(), ["xcebra-nwb"], set()
    while pending:
        name = pending.pop()
        if name in seen or name == "torch":  # what torch needs depends on the machine's accelerator
            continue
        seen.add(name)
        needed = [Requirement(line) for line in importlib.metadata.requires(name) or []]
        pending += [canonicalize_name(r.name) for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    assert seen - {"xcebra-nwb"} <= pins.keys()


def test_the_lock_of_the_docs_adds_what_the_docs_need() -> None:
    pins, more = locked(), locked("requirements-docs.lock")
    assert pins.keys() & more.keys() == set()
    both = pins | more
    for name, wanted in requirements(asked("docs")).items():
        assert pinned(both, name) in wanted.specifier, name


def test_versions_agree() -> None:
    assert project()["project"]["version"] == xcebra_nwb.__version__
    latest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert latest is not None and latest[1] == xcebra_nwb.__version__
