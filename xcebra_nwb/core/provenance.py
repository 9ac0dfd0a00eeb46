"""What made an output: software versions and a digest of the config."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("xcebra-nwb", "torch", "numpy", "scipy", "scikit-learn", "xarray", "h5py", "pynwb", "nwbinspector")


def software() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def digest(content: Any) -> str:
    """Return the SHA-256 of JSON-able content, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
