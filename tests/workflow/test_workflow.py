"""The workflow, run for real on tiny sessions, and planned in every way that people start it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support import nwb_builders
from tests.support.paths import ROOT
from tests.support.snakemake_runs import QUICK, call, check_results, jobs, make_recordings, snakemake, wait_for
from xcebra_nwb.commands.run_folder import held
from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import ALL_SESSIONS
from xcebra_nwb.core.config import schema

SESSION_RULES = ("extract", "train", "attribute", "assess", "write", "check", "report")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a refused session, two good ones that are trained together, a table and a config."""
    make_recordings(tmp_path / "data", good=2)
    rows = [f"sub-rat_ses-{n}\ttrue\tdata/sub-rat_ses-{n}.nwb" for n in range(3)]
    (tmp_path / "sessions.tsv").write_text("\n".join(["session\tinclude\tsource", *rows]) + "\n")
    chosen = QUICK | {"sessions": "sessions.tsv", "training": QUICK["training"] | {"together": True}}
    (tmp_path / "project.yaml").write_text(schema.dump(schema.validate(chosen)))
    return tmp_path


COUNT_TIMERS = """
import sys, threading
if "snakemake" in sys.orig_argv:
    class Counted(threading.Timer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            open({file!r}, "a").write("one\\n")
    threading.Timer = Counted
"""


def start(project: Path) -> list[object]:
    return ["--directory", project, "--configfile", project / "project.yaml", "--cores", 2]


def test_it_runs_from_the_root_does_nothing_the_second_time_and_keeps_nothing_of_what_is_refused_now(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sessions are trained together in one job, and a refused one is skipped."""
    timers = project / "timers"
    (project / "python").mkdir()
    (project / "python" / "sitecustomize.py").write_text(COUNT_TIMERS.format(file=str(timers)))
    monkeypatch.setenv("PYTHONPATH", str(project / "python"), prepend=os.pathsep)
    sources = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (project / "data").iterdir()}
    results, (refused, first, second) = project / "results", [f"sub-rat_ses-{number}" for number in range(3)]
    slurm = ["--workflow-profile", ROOT / "workflow" / "profiles" / "slurm"]
    planned = jobs(snakemake(*start(project), "--dry-run", *slurm))
    assert (planned["train_1"], planned["attribute"], "train" in planned) == (1, 3, False)
    done = snakemake(*start(project))
    assert done.returncode == 0, done.stderr
    check_results(results, [first, second], refused)
    assert not timers.exists(), "Snakemake looks at the ready jobs once more a second for every job that has ended"
    usage = pd.read_csv(results / "benchmarks" / first / "assess.tsv", sep="\t")
    assert 0 < usage["cpu_time"][0] < usage["s"][0] * 1.1
    assert sources == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (project / "data").iterdir()}
    log = (results / "logs" / ALL_SESSIONS / "train.log").read_text()
    assert log.count("2 sessions in one latent space") == 1
    receipt = json.loads((results / refused / "receipts" / "train.json").read_text())
    assert receipt["state"] == "refused"
    assert "no behaviour" in receipt["reason"]
    across = json.loads((results / first / "assessment.json").read_text())["across_sessions"]
    assert (across["sessions"], across["reason"]) == ([second], "")
    assert set(across["labels"]["position"]["by_session"]) == {second}
    again = snakemake(*start(project), "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
    changed = yaml.safe_load((project / "project.yaml").read_text())
    for section, key, value, rule in (
        ("attribution", "rank_tolerance", 0.1, "attribute"),
        ("training", "steps", 31, "train_1"),
    ):
        changed[section][key] = value
        (project / "project.yaml").write_text(yaml.safe_dump(changed))
        planned = jobs(snakemake(*start(project), "--dry-run"))
        assert planned[rule] == (1 if rule == "train_1" else 3)
        assert not planned.keys() & {*receipts.ORDER[: receipts.ORDER.index(rule.removesuffix("_1"))]}
        assert "train_1" not in planned or rule == "train_1"
    changed["neural"]["min_spikes"] = 10**6
    (project / "project.yaml").write_text(yaml.safe_dump(changed))
    assert snakemake(*start(project)).returncode == 0
    left = {path.name for path in (results / first).iterdir()}
    assert left == {"inventory.json", "receipts", "report.html", "status.json"}


def test_plain_snakemake_leaves_results_alone_that_a_run_holds(project: Path) -> None:
    """It would cancel the jobs of that run on a cluster."""
    (project / "results").mkdir()
    with held(project / "results"):
        said = snakemake(*start(project))
    assert said.returncode == 1
    assert "another run is using this folder: process" in said.stdout + said.stderr
    assert not (project / "results" / "settings.yaml").exists()


def test_jobs_that_share_no_file_system_are_not_begun(project: Path) -> None:
    """Their results would be lost without a word: only receipts are known to Snakemake."""
    said = call(sys.executable, "-c", ALONE, ROOT / "workflow" / "Snakefile", cwd=project)
    assert said.returncode != 0
    assert "the jobs need a file system that all of them share" in said.stdout + said.stderr


ALONE = """
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, ResourceSettings, StorageSettings
with SnakemakeApi(OutputSettings(dryrun=True)) as api:
    alone = StorageSettings(shared_fs_usage=frozenset())
    given = ResourceSettings(nodes=9)
    api.workflow(resource_settings=given, storage_settings=alone, snakefile=Path(sys.argv[1])).list_rules()
"""


def test_a_folder_without_a_config_folder_stays_the_working_folder_of_its_jobs(project: Path) -> None:
    """Jobs on a cluster are given no --directory; they begin in the folder of the run."""
    planned = jobs(snakemake(*start(project)[2:], "--snakefile", ROOT / "workflow/Snakefile", "--dry-run", cwd=project))
    assert planned["extract"] == planned["report"] > 0


def test_a_config_of_ones_own_starts_from_the_defaults_not_from_the_demo(project: Path) -> None:
    (project / "config").mkdir()
    shutil.copy(ROOT / "config" / "config.yaml", project / "config")
    (project / "mine.yaml").write_text("sessions: nobody.tsv\nneural: {min_spikes: 7}\n")
    (project / "nobody.tsv").write_text("session\tinclude\tsource\n")
    done = snakemake("--directory", project, "--configfile", project / "mine.yaml", "--cores", 1)
    assert done.returncode == 0, done.stderr
    written = schema.load(project / "results" / "settings.yaml")
    assert written.training == schema.Training()
    assert written.neural.min_spikes == 7


@pytest.mark.parametrize("folder", [ROOT, ROOT / "workflow"])
def test_a_dry_run_lists_the_jobs_of_the_demo(folder: Path, tmp_path: Path) -> None:
    planned = jobs(snakemake("--dry-run", "--cores", 1, "--config", f"results={tmp_path}", cwd=folder))
    assert all(planned[rule] == 3 for rule in SESSION_RULES)
    assert planned["summarize"] == 1


RESOURCES = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.resources import Resources
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
project, snakefile = map(Path, sys.argv[1:])
defaults = Resources.parse(["slurm_partition=cpu", "gpu_partition=card"], allow_expressions=True)
given = ResourceSettings(nodes=9, default_resources=defaults, overwrite_threads={"train": 3})
config = ConfigSettings(configfiles=[project / "project.yaml"])
with SnakemakeApi(OutputSettings(dryrun=True)) as api:
    planned = api.workflow(resource_settings=given, config_settings=config, snakefile=snakefile, workdir=project)
    planned.dag()
    rules = planned._workflow.rules
    print(json.dumps({rule.name: {name: value.raw for name, value in rule.resources.items()} for rule in rules}))
"""


def test_what_uses_a_card_asks_for_one_in_the_partition_of_cards_and_nothing_else_does(project: Path) -> None:
    """Also the training of several sessions, for which counts what a profile sets for `train`."""
    settings = yaml.safe_load((project / "project.yaml").read_text())
    settings["training"] |= {"device": "cuda", "together": True}
    (project / "project.yaml").write_text(yaml.safe_dump(settings))
    said = call(sys.executable, "-c", RESOURCES, project, ROOT / "workflow" / "Snakefile", cwd=project)
    rules = json.loads(said.stdout.splitlines()[-1])
    on_card = {"train", "train_1", "attribute"}
    assert {rule for rule, asked in rules.items() if asked.get("gpu")} == on_card
    assert {rule for rule, asked in rules.items() if asked["slurm_partition"] != "cpu"} == on_card
    assert {rules[rule]["slurm_partition"] for rule in on_card} == {"card"}
    assert rules["train_1"]["_cores"] == 3


def test_the_profile_of_slurm_plans_without_a_number_of_cores(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run would set the cores. Stand-ins for the programs of SLURM take no job."""
    programs, said = project / "bin", project / "said"
    programs.mkdir()
    for name in ("sbatch", "sacct", "sacctmgr", "sinfo", "squeue", "scontrol", "scancel"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    profile = ["--profile", ROOT / "workflow" / "profiles" / "slurm", "--workflow-profile", "none"]
    words = [sys.executable, "-m", "snakemake", *start(project)[:4], *profile]
    with said.open("w") as stream:
        driver = subprocess.Popen([str(word) for word in words], cwd=ROOT, stdout=stream, stderr=stream)
    try:
        wait_for(lambda: "Job stats:" in said.read_text() or driver.poll() is not None)
    finally:
        driver.kill()
        driver.wait()
    assert "Job stats:" in said.read_text() and "WorkflowError" not in said.read_text()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("trianing: {steps: 5}\n", "did you mean training?"),
        ("sessions: nowhere.tsv\n", "no such table of sessions"),
    ],
)
def test_a_wrong_config_ends_the_workflow_in_one_line(change: str, says: str, project: Path) -> None:
    (project / "wrong.yaml").write_text(change)
    done = snakemake("--directory", project, "--configfile", project / "wrong.yaml", "--cores", 1, "--dry-run")
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.thorough
def test_sessions_are_trained_in_one_process_of_one_job_and_stay_so(tmp_path: Path) -> None:
    """Three sessions, two at once; what is trained is not trained again by another number or a rerun of the other."""
    rows = ["session\tinclude\tsource"]
    for seed in (1, 2, 3):
        nwb_builders.tiny(tmp_path / f"sub-rat{seed}_ses-1.nwb", seed=seed)
        rows.append(f"s{seed}\ttrue\tsub-rat{seed}_ses-1.nwb")
    (tmp_path / "sessions.tsv").write_text("\n".join(rows) + "\n")

    def at_once(number: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        chosen = QUICK | {"sessions": "sessions.tsv", "training": QUICK["training"] | {"sessions_at_once": number}}
        (tmp_path / "project.yaml").write_text(schema.dump(schema.validate(chosen)))
        return snakemake(*start(tmp_path), *arguments)

    receipts = [f"results/s{number}/receipts/train.json" for number in (1, 2, 3)]
    planned = jobs(at_once(2, "--dry-run"))
    assert (planned["train_1"], planned["train"], planned["attribute"]) == (1, 1, 3)
    done = at_once(2, *receipts)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "results" / "batches.json").read_text()) == [["s1", "s2"], ["s3"]]
    log = tmp_path / "results" / "logs" / "s1~1-more" / "train.log"
    assert "members of 2 sessions" in log.read_text()
    assert json.loads((tmp_path / receipts[1]).read_text())["session"] == "s2"
    again = at_once(3, "--dry-run", *receipts)
    assert "Nothing to be done" in again.stdout + again.stderr
    (tmp_path / "results" / "s2" / "embedding.nc").unlink()
    forced = at_once(1, "--forcerun", receipts[1], "--", receipts[1])
    assert forced.returncode == 0, forced.stderr
    said = log.read_text()
    assert "s1: model.safetensors, training.nc, embedding.nc is current" in said
    assert "s2: wrote" in said
