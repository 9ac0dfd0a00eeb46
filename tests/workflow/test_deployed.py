"""The workflow as ``snakedeploy deploy-workflow`` leaves it: a module of a Snakefile in another folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.paths import ROOT
from tests.support.snakemake_runs import QUICK, snakemake
from xcebra_nwb.commands.run_folder import held
from xcebra_nwb.core.config import schema

pytestmark = pytest.mark.slow
SNAKEFILE = """
from snakemake.utils import min_version
min_version("6.10.0")
configfile: "config/config.yaml"
module xcebra_nwb:
    snakefile: "{snakefile}"
    config: config
use rule * from xcebra_nwb
"""


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """What snakedeploy 0.17 writes; it would name the Snakefile by an address."""
    nwb_builders.tiny(tmp_path / "a.nwb", only_position=True)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(SNAKEFILE.format(snakefile=ROOT / "workflow" / "Snakefile"))
    (tmp_path / "config" / "sessions.tsv").write_text("session\tinclude\tsource\nsub-a_ses-1\ttrue\ta.nwb\n")
    (tmp_path / "config" / "config.yaml").write_text(schema.dump(schema.validate(QUICK)))
    return tmp_path


def test_a_deployed_workflow_does_at_its_start_what_it_does_here(deployed: Path) -> None:
    """It starts Snakemake, which forgets the hooks of modules; no job runs."""
    (deployed / "results").mkdir()
    with held(deployed / "results"):
        said = snakemake("--cores", 1, cwd=deployed)
    assert said.returncode == 1
    assert "another run is using this folder: process" in said.stdout + said.stderr
    assert not (deployed / "results" / "settings.yaml").exists()


@pytest.mark.thorough
def test_a_deployed_workflow_runs_with_its_own_config(deployed: Path) -> None:
    said = snakemake("--cores", 1, cwd=deployed)
    assert said.returncode == 0, said.stdout + said.stderr
    assert schema.load(deployed / "results" / "settings.yaml").training.steps == QUICK["training"]["steps"]
    assert (deployed / "results" / "summary.html").exists()
