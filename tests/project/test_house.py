"""The house is in order: who imports whom, verbs and rules, environments, versions, links, nothing of one machine."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

import xcebra_nwb
from tests.support.paths import BIN, ROOT
from xcebra_nwb.core.extras import EXTRA_OF

RULES = ("extract", "train", "attribute", "assess", "write", "check", "report", "summarize", "simulate", "fetch")
VERBS = (*RULES, "align", "discover", "run", "inspect", "benchmark", "tune", "verify", "publish")
HEAVY = (
    "torch",
    "pynwb",
    "h5py",
    "pandas",
    "xarray",
    "scipy",
    "matplotlib",
    "snakemake",
    "ratinabox",
    "sklearn",
    "dandi",
)
COMPUTING = {"train", "align", "attribute", "verify", "tune"}  # with torch, which takes a second to load
CONDA_NAMES = {"torch": "pytorch", "snakemake": "snakemake-minimal", "matplotlib": "matplotlib-base"}
PIP_ONLY = {"ratinabox"}
MACHINE_PATH = re.compile(r"(?<![\w.*<>-])/(?:work|tmp|home|root|opt|mnt|Users)/\w|--(?:extra-)?index-url")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


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


def locked() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return requirements([line for line in lines if line and not line.startswith("#")])


def our_files() -> list[Path]:
    """Files that git tracks, or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_import_contracts_hold() -> None:
    outcome = subprocess.run([BIN / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_a_module_with_a_function_of_its_name(verb: str) -> None:
    tree = ast.parse((ROOT / "xcebra_nwb" / "commands" / f"{verb}.py").read_text(encoding="utf-8"))
    assert verb in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("rule", RULES)
def test_a_verb_of_the_workflow_is_a_rule_of_its_name(rule: str) -> None:
    files = [ROOT / "workflow" / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert re.search(rf"^\s*rule {rule}:", text, re.MULTILINE)
    assert f"xcebra-nwb {rule} " in text


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['xcebra-nwb', '--help']\n"
        "from xcebra_nwb.commands.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('LOADED', *sorted(set({HEAVY}) & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, _, loaded = outcome.stdout.partition("LOADED")
    assert [verb for verb in VERBS if not re.search(rf"^\W*{verb}\s", text, re.MULTILINE)] == []
    assert loaded.split() == []


def test_only_verbs_that_compute_with_torch_load_it() -> None:
    modules = [f"xcebra_nwb.commands.{verb}" for verb in VERBS if verb not in COMPUTING]
    code = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


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


def test_what_an_extra_brings_is_loaded_only_by_what_needs_it() -> None:
    """A run on local files, from the table of sessions to the summary, does without."""
    verbs = [verb for verb in VERBS if verb not in {"simulate", "benchmark", "tune"}]
    modules = ", ".join(f"xcebra_nwb.commands.{verb}" for verb in verbs)
    code = f"import sys, {modules}; print({{*sys.modules}} & {set(EXTRA_OF)})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


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


def test_versions_agree() -> None:
    assert project()["project"]["version"] == xcebra_nwb.__version__
    latest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert latest is not None and latest[1] == xcebra_nwb.__version__


def test_no_file_names_a_place_on_one_machine() -> None:
    found = []
    for path in our_files():
        text = path.read_bytes().decode("utf-8", errors="ignore") if path.suffix not in {".png", ".nwb"} else ""
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert [line for line in found if not line.startswith("tests/project/test_house.py")] == []


def test_the_tests_that_hold_a_promise_of_security_are_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("[cd]o*/**/*.md")), ids=lambda p: p.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
