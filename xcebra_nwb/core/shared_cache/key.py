"""The key of a result: everything that its files depend on, to the bit.

A key has two parts. ``about`` has what the answer depends on: the command, its code, the versions of the software, its
settings, the digests of its inputs, and the kind of device. ``machine`` has what its last bits depend on, too: the
processor and its instructions, the build of the libraries, the card, and the sessions that train in the same process.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy

from xcebra_nwb.core.provenance import digest, fingerprint, software, version_of

# Beside those of software(): they read sources, make maps or write files.
PACKAGES = ("captum", "h5netcdf", "hdmf", "numcodecs", "pandas", "safetensors", "triton")
# The files that a command reads in the folder of its session.
INPUTS: dict[str, tuple[str, ...]] = {
    "extract": (),
    "train": ("session.nc",),
    "attribute": ("session.nc", "model.safetensors", "training.nc", "embedding.nc"),
    "assess": ("session.nc", "training.nc", "embedding.nc", "attribution.nc"),
    "write": (
        *("session.nc", "training.nc", "embedding.nc", "attribution.nc", "assessment.json"),
        *("inventory.json", "units.nc", "decoded.nc"),
    ),
    "check": ("{session}_desc-xcebra.nwb",),
}
# Environment variables by which libraries compute otherwise. torch says its own choice of instructions.
VARIABLES = (
    *("CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE"),
    "OPENBLAS_CORETYPE",
)
OF_THE_SOURCE = ("extract", "write", "check")  # commands that read the recording
CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Key:
    """The key of the result of one command on one session."""

    command: str
    session: str
    about: Mapping[str, Any]
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The digest of what the answer depends on."""
        return digest(self.about)

    @property
    def machine_name(self) -> str:
        """The digest of what only the last bits depend on."""
        return digest(self.machine)


def inputs(command: str, session: str) -> list[str]:
    """Return the names of the files that a command reads in the folder of its session.

    >>> inputs("check", "a")
    ['a_desc-xcebra.nwb']
    """
    return [name.format(session=session) for name in INPUTS[command]]


def key_of(
    command: str,
    session: str,
    settings: Mapping[str, Any],
    files: Mapping[str, str],
    source: Mapping[str, str] | None,
    machine: Mapping[str, str],
) -> Key:
    """Return the key of a result.

    Args:
        command: Name of the command.
        session: Name of the session, which the files hold.
        settings: The sections of the config that the command reads, and all else that its result depends on.
        files: Digests of the files of :func:`inputs`.
        source: Digests and names of the recording, if the command reads it.
        machine: What only the last bits depend on.
    """
    about = {
        "command": command,
        "session": session,
        "code": fingerprint(command),
        "software": software() | {name: version_of(name) for name in PACKAGES},
        "settings": dict(settings),
        "files": {name: files[name] for name in inputs(command, session)},
        "source": None if source is None else dict(source),
    }
    return Key(command, session, about, dict(machine))


@cache
def this_machine() -> dict[str, str]:
    """Return the processor, its instructions, the libraries below Python, and variables that change their products."""
    built: dict[str, Any] = {"numpy": np.show_config(mode="dicts"), "scipy": scipy.show_config(mode="dicts")}
    found = built["numpy"]["SIMD Extensions"]
    blas = {f"blas of {name}": config["Build Dependencies"]["blas"] for name, config in built.items()}
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "vendor": _vendor(),
        "instructions": " ".join([*found.get("baseline", ()), *found.get("found", ())]),
        "hdf5": h5py.version.hdf5_version,
        **{name: f"{library.get('name', '')} {library.get('version', '')}" for name, library in blas.items()},
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _vendor() -> str:
    """Return the maker of the processor, by which libraries of linear algebra choose their code."""
    try:
        lines = CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")
