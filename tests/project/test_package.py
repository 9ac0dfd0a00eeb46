"""What is built and installed works: one wheel by both ways, nothing lost or let out, and it runs away from here."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

NO_SOURCE = (".git", ".venv*", ".snakemake", ".benchmarks", ".*_cache", ".hypothesis", "results", "resources", "dist")
STRAY = (
    ".env",
    "id_rsa",
    "sub-secret_ses-1.nwb",
    "xcebra_nwb/__pycache__/x.pyc",
    "workflow/.snakemake/log",
    "out/a.nc",
)
FOLDERS = {"xcebra_nwb": "", "workflow": "xcebra_nwb/_workflow", "config/examples": "xcebra_nwb/_config/examples"}
CALM = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
QUICK = "training: {steps: 30, batch_size: 64, seeds: 2, nulls: 3}\nneural: {min_spikes: 10}\n"


@dataclass(frozen=True)
class Built:
    """The sdist, and the wheels made from the tree and from the sdist."""

    tree: Path
    sdist: Path
    from_tree: Path
    from_sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both ways of building, from a copy of the tree with files in it that are nobody's business."""
    place = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, place / "tree", symlinks=True, ignore=shutil.ignore_patterns(*NO_SOURCE))
    for name in STRAY:
        (place / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "tree" / name).write_text("secret")
    sdist, wheel = build(place / "tree", place / "first", "sdist", "wheel")
    with tarfile.open(sdist) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and newer
        archive.extractall(place / "unpacked", **safely)
    (unpacked,) = (place / "unpacked").iterdir()
    return Built(place / "tree", sdist, wheel, *build(unpacked, place / "second", "wheel"))


def build(tree: Path, output: Path, *targets: str) -> list[Path]:
    """What hatchling makes of a tree, without the network."""
    for target in targets:
        call([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(output)], tree)
    return [path for end in (".tar.gz", ".whl") for path in output.glob(f"*{end}")]


def call(command: Sequence[object], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``cwd``; nothing of this checkout is on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"} | CALM
    if "hatchling" not in command:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_tree_and_the_sdist_give_the_same_wheel(built: Built) -> None:
    assert contents(built.from_tree) == contents(built.from_sdist)


def test_the_wheel_holds_the_package_the_workflow_and_the_examples(built: Built) -> None:
    found = set(contents(built.from_sdist))
    for folder, inside in FOLDERS.items():
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        names = {f"{inside or folder}/{path.relative_to(ROOT / folder).as_posix()}" for path in files}
        assert names - found == set()
    others = {name for name in found if not name.startswith("xcebra_nwb/")}
    assert {name.partition("/")[2] for name in others} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert {"xcebra_nwb/py.typed", "xcebra_nwb/_benchmarks/Snakefile"} <= found
    assert {"xcebra_nwb/_docs/glossary.md", "xcebra_nwb/_docs/reference/verdicts.md"} <= found
    assert "xcebra_nwb/_workflow/profiles/slurm/config.yaml" in found


def test_an_index_can_show_the_page(built: Built) -> None:
    """On it there are no files beside the text: no link to one, and no image."""
    (metadata,) = [text for name, text in contents(built.from_sdist).items() if name.endswith("/METADATA")]
    found = message_from_bytes(metadata)
    page = str(found.get_payload())
    assert found["Description-Content-Type"] == "text/markdown"
    assert "## Two commands" in page and "[Snakemake](https://" in page
    assert re.findall(r"\]\((?!https?:)[^)]*\)|!\[|<img", page) == []
    for field in ("Author", "Keywords", "Classifier", "Project-URL", "License-Expression", "Requires-Python"):
        assert found[field], field


def test_nothing_that_only_lies_in_the_checkout_gets_out(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert files & set(STRAY) == set()
    assert not [name for name in contents(built.from_tree) if name.endswith(("x.pyc", ".snakemake/log"))]
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    always = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", "PKG-INFO"}
    assert {name.partition("/")[0] for name in files} <= always | set(listed["only-include"])
    assert {"tests/project/test_package.py", "workflow/profiles/default/config.yaml", "config/config.yaml"} <= files


@dataclass(frozen=True)
class Installed:
    """The wheel made from the sdist in a virtual environment of its own, whose other packages are this one's."""

    root: Path

    @property
    def package(self) -> Path:
        (found,) = self.root.glob("lib/python*/site-packages/xcebra_nwb")
        return found

    def run(self, command: str, *arguments: object, cwd: Path) -> str:
        """What a command says; ``snakemake`` is run as a module."""
        start = [self.root / "bin" / "python", "-m", "snakemake"] if command == "snakemake" else [command]
        done = call([*start, *arguments], cwd)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    if "XCEBRA_NWB_INSTALLED" in os.environ:  # `make test-install`: from an index, with all that it needs
        return Installed(Path(os.environ["XCEBRA_NWB_INSTALLED"]))
    root = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(root, symlinks=True)
    flags = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip", "--python", root / "bin" / "python", "install", *flags]
    call([*pip, built.from_sdist], root)
    (site,) = root.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(root)


def test_installed_it_makes_a_recording_and_its_maps(installed: Installed, tmp_path: Path) -> None:
    command, before = installed.root / "bin" / "xcebra-nwb", tree_of(installed.package)
    where = [installed.root / "bin" / "python", "-c", "import xcebra_nwb; print(xcebra_nwb.__file__)"]
    assert Path(call(where, tmp_path).stdout.strip()).parent == installed.package
    recording = Path("data/sub-rat_ses-1.nwb")
    (tmp_path / "quick.yaml").write_text(QUICK)
    installed.run(str(command), "simulate", recording, "--duration", 60, "--cells", 3, cwd=tmp_path)
    assert "head_direction" in installed.run(str(command), "inspect", recording, cwd=tmp_path)
    said = installed.run(str(command), "run", "data", "-o", "out", "-c", "quick.yaml", "--cores", 2, cwd=tmp_path)
    assert "summary.html" in said
    session = tmp_path / "out" / "sub-rat_ses-1"
    assert {"report.html", "attribution.nc", "sub-rat_ses-1_desc-xcebra.nwb"} <= {p.name for p in session.iterdir()}
    assert (tmp_path / "out" / "summary.html").exists()
    assert tree_of(installed.package) == before  # nothing is written there: it may belong to another user


def tree_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_an_installed_profile_plans_the_workflow(installed: Installed, profile: str, tmp_path: Path) -> None:
    (tmp_path / "sub-a_ses-1.nwb").write_bytes(b"planned only")
    (tmp_path / "sessions.tsv").write_text("session\tinclude\tsource\nsub-a_ses-1\ttrue\tsub-a_ses-1.nwb\n")
    (tmp_path / "config.yaml").write_text("sessions: sessions.tsv\n" + QUICK)
    workflow = installed.package / "_workflow"
    chosen = ["--profile", workflow / "profiles" / profile, "--snakefile", workflow / "Snakefile"]
    said = installed.run("snakemake", *chosen, "--configfile", "config.yaml", "--cores", 1, "--dry-run", cwd=tmp_path)
    assert re.search(r"^summarize +1$", said, re.MULTILINE)
    assert "sub-a_ses-1" in said


def test_the_installed_benchmarks_plan(installed: Installed, tmp_path: Path) -> None:
    snakefile = installed.package / "_benchmarks" / "Snakefile"
    said = installed.run("snakemake", "--snakefile", snakefile, "--cores", 1, "--dry-run", cwd=tmp_path)
    assert re.search(r"^benchmark_table +1$", said, re.MULTILINE)


def test_an_example_is_taken_by_its_name(installed: Installed, tmp_path: Path) -> None:
    module = "xcebra_nwb.commands.cli.options"
    code = f"from pathlib import Path; from {module} import config_of; print(config_of(Path('tiny')))"
    python = installed.root / "bin" / "python"
    assert "steps=100" in call([python, "-c", code], tmp_path).stdout
    (tmp_path / "tiny").write_text("training: {steps: 7}\n")  # one's own file goes before
    assert "steps=7" in call([python, "-c", code], tmp_path).stdout
