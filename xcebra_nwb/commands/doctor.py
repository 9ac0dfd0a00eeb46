"""doctor: what this machine has, what will be used of it, and what is wrong with it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from xcebra_nwb.commands.doctor_archive import describe_archive
from xcebra_nwb.commands.doctor_finding import Finding
from xcebra_nwb.commands.doctor_training import describe_card, describe_rate
from xcebra_nwb.core import host_memory, usage
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.folders import CACHE_REMEDY, cache_folder, check_writable, nearest, user_folder
from xcebra_nwb.core.installation import EXTRA_OF, is_installed
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.scratch import GIGABYTE
from xcebra_nwb.core.shared_cache import address, entries

LITTLE_MEMORY, LITTLE_DISK = 2 * GIGABYTE, 5 * GIGABYTE
COMPILERS = ("c++", "g++", "clang++", "cl")
SLURM_PLUGIN = "snakemake_executor_plugin_slurm"


def doctor(instance: str | None = "dandi", device: str = "auto", train: bool = True) -> list[Finding]:
    """Return what the commands will find on this machine.

    Args:
        instance: Name or address of the archive to look for; None: the network is not used.
        device: Device that the config would name.
        train: Also train an encoder for a moment, to tell the rate and, on a card, the kind of steps.
    """
    return [
        *_software(),
        *_machine(),
        describe_card(device),
        *([describe_rate(device)] if train else []),
        _compiler(),
        *_disk(),
        _cache(),
        _shared_cache(),
        _cluster(),
        *([] if instance is None or not is_installed("dandi") else describe_archive(instance)),
    ]


def _software() -> Iterator[Finding]:
    versions = ", ".join(f"{name} {version}" for name, version in software().items())
    yield Finding(part="software", state="ok", text=f"{versions}; {platform.platform()}")
    for package, extra in EXTRA_OF.items():
        if not is_installed(package):
            text = f"{package} is not installed; what needs it says so"
            yield Finding(part="software", state="note", text=text, remedy=f"pip install 'xcebra-nwb[{extra}]'")


def _machine() -> Iterator[Finding]:
    cores, load = usage.cores(), os.getloadavg()[0]
    text = f"{cores} can be used, and `xcebra-nwb run` uses all"
    if load > cores:
        busy = f"{text}; {load:.0f} programs want them now, so everything takes longer"
        yield Finding(part="cores", state="note", text=busy, remedy="wait, or see what else runs")
    else:
        yield Finding(part="cores", state="ok", text=text)
    free = host_memory.free_bytes()
    text = f"{free / GIGABYTE:.1f} GB free"
    if free < LITTLE_MEMORY:
        yield Finding(part="memory", state="wrong", text=text, remedy="a job with at least 2 GB")
    else:
        yield Finding(part="memory", state="ok", text=text)


def _compiler() -> Finding:
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if found is None:
        text = "no C++ compiler: `training.compile` and the card's kernel for near labels are not used"
        return Finding(part="compiler", state="note", text=text, remedy="install g++, if either is wanted")
    return Finding(part="compiler", state="ok", text=found)


def _disk() -> Iterator[Finding]:
    for what, folder in (("this folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(nearest(folder)).free
        text, little = f"{what}, {folder}: {free / GIGABYTE:.0f} GB free", free < LITTLE_DISK
        remedy = "make room there, or let TMPDIR name another folder" if little else ""
        try:
            check_writable(folder)
        except XcebraError as error:
            yield Finding(part="disk", state="note", text=error.message, remedy=error.remedy)
        else:
            yield Finding(part="disk", state="note" if little else "ok", text=text, remedy=remedy)


def _cache() -> Finding:
    try:
        folder = user_folder(cache_folder(), CACHE_REMEDY)
        check_writable(folder, CACHE_REMEDY)
    except XcebraError as error:
        return Finding(part="cache", state="wrong", text=error.message, remedy=error.remedy)
    return Finding(part="cache", state="ok", text=str(folder))


def _shared_cache() -> Finding:
    """Say whether results can be taken from the shared cache, and added to it."""
    try:
        store = address.named()
        if store is None:
            return Finding(part="shared cache", state="ok", text=f"none: {address.VARIABLE} names none")
        entries.check_readable(store)
    except XcebraError as error:
        return Finding(part="shared cache", state="wrong", text=error.message, remedy=error.remedy)
    try:
        entries.check_writable(store)
    except XcebraError as error:
        text = f"{store.shown}: results can be taken and not added: {error.message.removeprefix(f'{store.shown}: ')}"
        return Finding(part="shared cache", state="note", text=text, remedy=error.remedy)
    return Finding(part="shared cache", state="ok", text=f"{store.shown}: results can be taken and added")


def _cluster() -> Finding:
    sbatch, plugin = shutil.which("sbatch"), importlib.util.find_spec(SLURM_PLUGIN) is not None
    if sbatch and not plugin:
        text = f"SLURM is there ({sbatch}), and Snakemake cannot use it"
        return Finding(part="cluster", state="note", text=text, remedy="pip install 'xcebra-nwb[cluster]'")
    text = (
        f"SLURM ({sbatch}) can be used: docs/how-to/cluster.md" if sbatch else "no SLURM: sessions run on this machine"
    )
    return Finding(part="cluster", state="ok", text=text)
