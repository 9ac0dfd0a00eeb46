"""`run --profile`: where a profile is found, and what is said about one that cannot be used."""

from pathlib import Path

import pytest

from tests.support.paths import ROOT
from xcebra_nwb.commands import profiles
from xcebra_nwb.commands.profiles import find_profile
from xcebra_nwb.commands.run_snakemake import plan_command
from xcebra_nwb.core.errors import UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(folder: Path, settings: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(settings)
    return folder


def test_a_profile_is_found_by_name_and_by_path_and_ones_own_before_that_of_the_package(home: Path) -> None:
    assert find_profile("slurm") == ROOT / "workflow" / "profiles" / "slurm"
    own = make(home / "home" / "snakemake" / "slurm", "cores: 2\n")
    assert find_profile("slurm") == own
    here = make(home / "site" / "ours", "cores: 2\n")
    assert find_profile("site/ours") == here
    assert find_profile(str(here / "config.yaml")) == here / "config.yaml"


def test_what_cannot_be_used_is_said_before_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"slrum: no such profile \(.*one of: default, slurm"):
        find_profile("slrum")
    make(home / "cloud", "executor: kubernetes\n")
    with pytest.raises(UsageError, match="pip install 'snakemake-executor-plugin-kubernetes'"):
        find_profile("cloud")
    make(home / "broken", "executor: [\n")
    with pytest.raises(UsageError, match="cannot be read"):
        find_profile("broken")
    monkeypatch.setattr(profiles, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'xcebra-nwb\[cluster\]'"):
        find_profile("slurm")


def test_a_cluster_is_given_no_number_of_cores() -> None:
    assert "--cores" not in plan_command(Path("Snakefile"), Path("out/config.yaml"), None)
    assert "--cores" in plan_command(Path("Snakefile"), Path("out/config.yaml"))
