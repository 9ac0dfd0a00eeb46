"""Start a SLURM of one's own on this machine: two nodes that share it, accounting, and a pretend card.

Its programs have to be installed (Debian: slurm-wlm, slurmdbd, mariadb-server, munge). Nothing else of the machine is
used or changed: settings, keys, sockets, ports and the database are in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROGRAMS = {
    "slurm-wlm": ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct"),
    "slurmdbd": ("slurmdbd", "sacctmgr"),
    "mariadb-server": ("mariadbd", "mariadb-install-db", "mariadb"),
    "munge": ("munged",),
}
NODES = ("node1", "node2")
SECONDS_TO_START = 60
OUTSIDE = os.environ["PATH"] + os.pathsep + os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/sbin"))


def missing() -> str:
    """Return why no SLURM can be started here; empty if one can."""
    lacking = sorted({package for package, names in PROGRAMS.items() if any(not _found(name) for name in names)})
    if lacking:
        return f"SLURM is not installed: no {', '.join(lacking)}"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as other users only for root"


def _found(program: str) -> str | None:
    return shutil.which(program, path=OUTSIDE)


@dataclass
class Cluster:
    """A SLURM that runs; ``environment`` is what its programs need."""

    root: Path
    environment: dict[str, str]
    ports: dict[str, int]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, *command: str) -> str:
        """Return what a program of SLURM says."""
        words = [_found(command[0]) or command[0], *command[1:]]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def begin(self, name: str, *command: str, user: str | None = None) -> subprocess.Popen[bytes]:
        """Start a program that serves, with its output in a log of its name."""
        words = [_found(command[0]) or command[0], *command[1:]]
        with (self.root / f"{name}.out").open("ab") as log:
            process = subprocess.Popen(
                words, env=self.environment, stdout=log, stderr=log, start_new_session=True, user=user
            )
        self.started.append(process)
        return process

    def begin_node(self, name: str) -> subprocess.Popen[bytes]:
        """Start the program of a node."""
        return self.begin(name, "slurmd", "-D", "-N", name)

    def wait_for(self, happened: Callable[[], object], what: str, seconds: float = SECONDS_TO_START) -> None:
        """Wait until something has happened."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"{what} after {seconds} s; logs in {self.root}"
            time.sleep(0.3)

    def idle(self) -> bool:
        """Return whether all nodes wait for work."""
        return self.ask("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").split() == ["idle"] * len(NODES)

    def queue(self) -> list[str]:
        """Return a line for each job that waits or runs: number, state, comment, working folder, node."""
        return self.ask("squeue", "-h", "-o", "%i|%T|%k|%Z|%N").splitlines()

    def jobs(self) -> list[dict[str, str]]:
        """Return what the accounting says about each job."""
        fields = ("JobIDRaw", "State", "Comment", "Partition", "ReqMem", "TimelimitRaw", "ReqTRES", "Start", "End")
        lines = self.ask("sacct", "-a", "-X", "-n", "-P", "-D", "-o", ",".join(fields)).splitlines()
        return [dict(zip(fields, line.split("|"), strict=True)) for line in lines]


@contextmanager
def started(root: Path) -> Iterator[Cluster]:
    """Start a SLURM in a folder, and end it."""
    names = ("database", "dbd", "ctld", *NODES)
    cluster = Cluster(root, _environment(root), dict(zip(names, _free_ports(len(names)), strict=True)))
    try:
        _begin(cluster)
        yield cluster
        cluster.ask("scancel", "--user", _user(), "--signal=KILL", "--full")
        cluster.ask("scancel", "--user", _user())
        cluster.wait_for(lambda: not cluster.queue(), "jobs are left")
    finally:
        for process in reversed(cluster.started):
            _end(process)


def _begin(cluster: Cluster) -> None:
    root = cluster.root
    root.chmod(0o755)
    _write_settings(cluster)
    socket_of_munge, key = root / "munge.socket", root / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    files = {"key-file": key, "socket": socket_of_munge, "pid-file": root / "munge.pid"}
    options = [
        f"--{name}={path}" for name, path in (files | {"log-file": root / "m.log", "seed-file": root / "m"}).items()
    ]
    cluster.begin("munged", "munged", "--foreground", "--force", *options)
    cluster.wait_for(socket_of_munge.exists, "no munged")
    _begin_database(cluster)
    cluster.begin("slurmdbd", "slurmdbd", "-D")
    _wait_for_port(cluster, "dbd")
    for words in (("cluster", "loopback"), ("account", "lab"), ("user", _user(), "account=lab")):
        cluster.ask("sacctmgr", "-i", "add", *words)
    cluster.begin("slurmctld", "slurmctld", "-D", "-c")
    _wait_for_port(cluster, "ctld")
    for name in NODES:
        cluster.begin_node(name)
    cluster.wait_for(cluster.idle, "not all nodes are idle")


def _begin_database(cluster: Cluster) -> None:
    root, data = cluster.root, cluster.root / "database"
    user = f"--user={_user()}"
    install = [
        _found("mariadb-install-db") or "",
        "--no-defaults",
        user,
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
    ]
    done = subprocess.run([*install, "--skip-test-db"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    where = root / "database.socket"
    options = (
        f"--datadir={data}",
        f"--socket={where}",
        "--bind-address=127.0.0.1",
        f"--port={cluster.ports['database']}",
    )
    cluster.begin("mariadbd", "mariadbd", "--no-defaults", user, *options, f"--pid-file={root / 'database.pid'}")
    cluster.wait_for(where.exists, "no database")
    make = "create user slurm@'127.0.0.1' identified by 'slurm'; grant all on *.* to slurm@'127.0.0.1';"
    cluster.wait_for(
        lambda: _succeeds("mariadb", "--no-defaults", f"--socket={where}", "-u", "root", "-e", make), "no user"
    )


def _write_settings(cluster: Cluster) -> None:
    root, ports = cluster.root, cluster.ports
    shared = {"AuthType": "auth/munge", "AuthInfo": f"socket={root / 'munge.socket'}", "SlurmUser": _user()}
    database = {"StorageType": "accounting_storage/mysql", "StorageHost": "127.0.0.1", "StoragePort": ports["database"]}
    database |= {"StorageUser": "slurm", "StoragePass": "slurm", "StorageLoc": "slurm"}
    own = {"DbdHost": "localhost", "DbdAddr": "127.0.0.1", "DbdPort": ports["dbd"], "PidFile": root / "dbd.pid"}
    settings = root / "slurmdbd.conf"
    settings.write_text(_lines(shared | database | own))
    settings.chmod(0o600)
    nodes = [
        f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[name]} CPUs=2 RealMemory=16000"
        f"{' Gres=gpu:1' if name == NODES[0] else ''} State=UNKNOWN\n"
        for name in NODES
    ]
    partitions = [
        f"PartitionName=cpu Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP\n",
        f"PartitionName=card Nodes={NODES[0]} MaxTime=INFINITE State=UP\n",
    ]
    control = {
        "ClusterName": "loopback",
        "SlurmctldHost": "localhost(127.0.0.1)",
        "SlurmctldPort": ports["ctld"],
        "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
        "SlurmdUser": _user(),
        "StateSaveLocation": root / "state",
        "SlurmdSpoolDir": root / "spool-%n",
        "SlurmctldPidFile": root / "ctld.pid",
        "SlurmdPidFile": root / "slurmd-%n.pid",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core_Memory",
        "MpiDefault": "none",
        "GresTypes": "gpu",
        # Jobs that take more memory than they asked for are ended, as by control groups.
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": "task=1",
        "JobAcctGatherParams": "OverMemoryKill",
        "OverTimeLimit": 0,
        "KillWait": 5,
        "SlurmdTimeout": 15,
        "ReturnToService": 2,
        "SchedulerParameters": "sched_interval=1,bf_interval=2,batch_sched_delay=0",
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": "localhost",
        "AccountingStoragePort": ports["dbd"],
        "AccountingStoragePass": root / "munge.socket",
        "AccountingStoreFlags": "job_comment",
        "AccountingStorageTRES": "gres/gpu",
    }
    (root / "state").mkdir()
    _write_srun(root)
    (root / "slurm.conf").write_text(_lines(shared | control) + "".join(nodes + partitions))
    (root / "gres.conf").write_text(f"NodeName={NODES[0]} Name=gpu File=/dev/null\n")  # a pretend card


def _write_srun(root: Path) -> None:
    """Write an srun that knows its settings: Snakemake's job takes all variables of SLURM out of its environment."""
    program = root / "bin" / "srun"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec env SLURM_CONF={root / "slurm.conf"} {_found("srun")} "$@"\n')
    program.chmod(0o755)


def _environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
    return kept | {"SLURM_CONF": str(root / "slurm.conf"), "PATH": f"{root / 'bin'}{os.pathsep}{OUTSIDE}"}


def _free_ports(number: int) -> list[int]:
    taken = [socket.socket() for _ in range(number)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in taken]
    for one in taken:
        one.close()
    return ports


def _wait_for_port(cluster: Cluster, name: str) -> None:
    def answers() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", cluster.ports[name])) == 0

    cluster.wait_for(answers, f"no {name}")


def _succeeds(program: str, *arguments: str) -> bool:
    return subprocess.run([_found(program) or program, *arguments], capture_output=True, check=False).returncode == 0


def _lines(settings: Mapping[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _user() -> str:
    return psutil.Process().username()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that was started here, and its children."""
    if process.poll() is not None:
        return
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.kill()
