"""The contents of the installation: files that come with the package, and optional packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from xcebra_nwb.core.errors import Failure, UsageError

EXTRA_OF = {
    "captum": "baselines",
    "dandi": "archive",
    "optuna": "tune",
    "ratinabox": "simulate",
}
PACKAGE = Path(__file__).parents[1]
EXAMPLES = "config/examples"


def require_package(package: str, purpose: str) -> None:
    """Check that an optional package is installed.

    Raises:
        UsageError: It is not; the line names the purpose and the extra that installs the package.
    """
    if not is_installed(package):
        problem = f"{purpose} needs {package}, which is not installed"
        raise UsageError(problem, f"pip install 'xcebra-nwb[{EXTRA_OF[package]}]'")


def is_installed(package: str) -> bool:
    """Return whether ``package`` is installed."""
    return find_spec(package) is not None


def packaged_path(path: str) -> Path:
    """Return the path of a file or folder of the repository.

    An installed package holds it inside, a checkout beside the package.

    Raises:
        Failure: Neither holds it.
    """
    for candidate in (PACKAGE / f"_{path}", PACKAGE.parent / path):
        if candidate.exists():
            return candidate
    raise Failure(f"{path} is not installed with the package", "install xcebra-nwb again")


def config_file(name: Path) -> Path:
    """Return ``name``, or the example config of that name if there is no such file; a folder may have the name."""
    example = packaged_path(EXAMPLES) / f"{name}.yaml"
    taken = name.exists() and not name.is_dir()
    return example if len(name.parts) == 1 and not taken and example.exists() else name
