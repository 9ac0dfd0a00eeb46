"""The whole workflow on a real SLURM (`make test-slurm`): every session ends right, or is named.

The jobs meet mishaps on the way (tests/slurm/hook). Each test takes minutes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import yaml

from tests.support import nwb_builders, slurm_cluster
from tests.support.paths import COMMAND, ROOT
from tests.support.slurm_cluster import Cluster
from tests.support.snakemake_runs import QUICK
from xcebra_nwb.core import slurm_jobs

pytestmark = pytest.mark.slurm
HOOK = Path(__file__).parent / "hook"
MINUTES = 40
LINES = {  # of the profile, as a user changes them
    "# slurm_account: my_account": "slurm_account: lab",
    "# slurm_partition: my_cpu_partition": "slurm_partition: cpu",
    "# gpu_partition: my_gpu_partition": "gpu_partition: card",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    why = slurm_cluster.missing()
    if why:
        pytest.skip(why)
    root = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: sockets have names of at most 107 characters
    with slurm_cluster.started(root) as started:
        yield started
    shutil.rmtree(root, ignore_errors=True)  # a program may still write its last lines


class Project:
    """Recordings, a config, a profile and mishaps in a folder."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster, self.out = folder, cluster, folder / "out"
        self.mishaps, self.data = folder / "mishaps", folder / "data"
        self.begun: list[subprocess.Popen[str]] = []
        for made in (self.mishaps, self.data):
            made.mkdir()
        (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))
        self.profile = self.copy_profile()

    def copy_profile(self) -> Path:
        text = (ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text()
        for line, own in LINES.items():
            assert line in text
            text = text.replace(line, own)
        profile = self.folder / "site"
        profile.mkdir()
        (profile / "config.yaml").write_text(text + "slurm-init-seconds-before-status-checks: 5\n")
        return profile

    def recordings(self, number: int) -> list[str]:
        for seed in range(1, number + 1):
            nwb_builders.tiny(self.data / f"{seed}.nwb", seed=seed)
        return [f"sub-rat{seed}_ses-one" for seed in range(1, number + 1)]

    def mishap(self, command: str, session: str, kind: str) -> None:
        (self.mishaps / f"{command}.{session}").write_text(kind)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start a program that sends jobs to the cluster; what it says goes into a file."""
        given = {"PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}", "MISHAPS": str(self.mishaps), "OMP_NUM_THREADS": "1"}
        with (self.folder / "said").open("a") as said:
            begun = subprocess.Popen(
                [str(word) for word in words],
                cwd=self.folder,
                env=self.cluster.environment | given,
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        self.begun.append(begun)
        return begun

    def run(self) -> subprocess.Popen[str]:
        return self.start(COMMAND, "run", "data", "-o", "out", "-c", "quick.yaml", "--profile", "site")

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def stopped(self, session: str) -> str:
        """Return the job whose training stands still; empty without one."""
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_STOPPED and process.cmdline()[-1:] == [session]:
                    return process.environ()[slurm_jobs.JOB] if process.cwd() == str(self.out) else ""
            except (psutil.Error, KeyError):
                continue
        return ""

    def wait_until_stopped(self, session: str) -> str:
        self.cluster.wait_for(lambda: self.stopped(session), f"{session} did not stop", 60 * MINUTES)
        return self.stopped(session)

    def jobs(self, session: str) -> list[dict[str, str]]:
        """Return the jobs of a session in this folder, which never worked at the same time."""
        mark = f"@{slurm_jobs.mark(self.out)}"
        jobs = [job for job in self.cluster.jobs() if re.search(rf"_{session}(\.card)?{mark}", job["Comment"])]
        for earlier, later in pairwise(jobs):
            assert earlier["End"] <= later["Start"], "two jobs of one session at once"
        return jobs

    def state(self, session: str) -> str:
        return str(json.loads((self.out / session / "status.json").read_text())["state"])


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path, cluster)
    yield made
    for process in made.begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def asked(jobs: list[dict[str, str]]) -> list[tuple[str, int, int]]:
    """Return the end of each job, its memory in MB and its minutes."""
    return [(j["State"].split()[0], int(j["ReqMem"].rstrip("M")), int(j["TimelimitRaw"])) for j in jobs]


def test_every_session_ends_right_whatever_ends_its_job(project: Project) -> None:
    late, slow, large = project.recordings(3)
    nwb_builders.without_behaviour(project.data / "refused.nwb")
    damaged = project.data / "sub-rat_ses-damaged.nwb"
    damaged.write_bytes((project.data / "1.nwb").read_bytes()[:20_000])
    project.mishap("train", late, "stop")
    project.mishap("assess", late, "fail")
    project.mishap("train", slow, "stop")
    project.mishap("train", large, "memory")
    run = project.run()
    waiting = {late, slow}
    while waiting and run.poll() is None:
        for session in list(waiting):
            if job := project.stopped(session):
                waiting.remove(session)
                if session == late:
                    project.cluster.ask("scancel", job)
                else:
                    project.cluster.ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")
        with_pause(run)
    assert run.wait(60 * MINUTES) == 0, project.said()
    assert [project.state(session) for session in (late, slow, large)] == ["done"] * 3
    assert [project.state(session) for session in ("sub-rat_ses-one", "sub-rat_ses-damaged")] == ["refused"] * 2
    # Only what was wanting grows. A time limit that was changed is what the accounting says of the first job.
    (_, memory, minutes), *_ = asked(project.jobs(late))
    assert asked(project.jobs(late)) == [
        *(("CANCELLED", memory, minutes), ("FAILED", memory, minutes), ("COMPLETED", memory, minutes))
    ]
    (first, *_), second = asked(project.jobs(slow))
    assert (first, second[0], second[2]) == ("TIMEOUT", "COMPLETED", 2 * minutes)
    assert second[1] == asked(project.jobs(slow))[0][1]
    (first, memory, minutes), second = asked(project.jobs(large))
    assert (first in ("OUT_OF_MEMORY", "FAILED")) and second == ("COMPLETED", 2 * memory, minutes)
    logs = {session: (project.out / "logs" / session / "train.log").read_text() for session in (late, slow)}
    assert "current, nothing to do" in logs[late]  # a late command that fails does not train again
    assert "resuming from checkpoint.safetensors" in logs[slow]
    assert not list(project.out.glob(f"*/{slurm_jobs.FILE}"))


def with_pause(run: subprocess.Popen[str]) -> None:
    try:
        run.wait(1)
    except subprocess.TimeoutExpired:
        return


def test_a_node_fails_the_driver_is_killed_and_a_third_one_comes_too_early(project: Project) -> None:
    (session,) = project.recordings(1)
    project.mishap("train", session, "stop")
    first = project.run()
    job = project.wait_until_stopped(session)
    node = project.cluster.ask("squeue", "-h", "-j", job, "-o", "%N").strip()
    project.mishap("train", session, "stop")
    project.cluster.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    ended = [job]
    project.cluster.wait_for(lambda: project.stopped(session) not in ("", *ended), "no second job", 60 * MINUTES)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = project.run()
    left = "cancelling jobs that an earlier run left"
    project.cluster.wait_for(lambda: left in project.said(), "the second run does not begin")
    third = project.run()
    assert third.wait(120) == 1
    assert re.search(rf"another run is using this folder: process {second.pid} on ", project.said())
    assert second.wait(60 * MINUTES) == 0, project.said()
    assert project.state(session) == "done"
    states = [state for state, _, _ in asked(project.jobs(session))]
    assert states == ["NODE_FAIL", "CANCELLED", "COMPLETED"]
    assert len({(memory, minutes) for _, memory, minutes in asked(project.jobs(session))}) == 1
    assert "resuming from checkpoint.safetensors" in (project.out / "logs" / session / "train.log").read_text()


def test_plain_snakemake_sends_only_what_needs_a_card_to_the_partition_of_cards(project: Project) -> None:
    """There is no card, so the session fails, and the summary and the exit code say so."""
    (session,) = project.recordings(1)
    table = f"session\tinclude\tsource\n{session}\ttrue\tdata/1.nwb\n"
    (project.folder / "sessions.tsv").write_text(table)
    settings = QUICK | {
        "training": QUICK["training"] | {"device": "cuda"},
        "sessions": "sessions.tsv",
        "results": "out",
    }
    (project.folder / "cuda.yaml").write_text(yaml.safe_dump(settings))
    words = ["--snakefile", ROOT / "workflow" / "Snakefile", "--configfile", "cuda.yaml", "--workflow-profile", "none"]
    driver = project.start(sys.executable, "-m", "snakemake", *words, "--profile", "site", "--retries", 0)
    assert driver.wait(60 * MINUTES) == 1
    first, card = project.jobs(session)
    assert (first["State"], first["Partition"]) == ("COMPLETED", "cpu") and "gpu" not in first["ReqTRES"]
    assert (card["State"], card["Partition"]) == ("FAILED", "card") and "gres/gpu=1" in card["ReqTRES"]
    status = json.loads((project.out / session / "status.json").read_text())
    assert (status["state"], status["verb"]) == ("failed", "train")
