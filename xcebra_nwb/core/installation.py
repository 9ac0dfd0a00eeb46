"""The contents of the installation: files that come with the package, and optional packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from xcebra_nwb.core.errors import Failure, UsageError

EXTRA_OF = {"captum": "baselines", "dandi": "archive", "optuna": "tune", "ratinabox": "simulate"}
PACKAGE = Path(__file__).parents[1]
EXAMPLES = "config/examples"


def require_package(package: str, purpose: str) -> None:
    """Do nothing where ``package`` is installed.

    Raises:
        UsageError: it is not; the line names what needs it, and the extra that brings it.
    """
    if not is_installed(package):
        problem = f"{purpose} needs {package}, which is not installed"
        raise UsageError(problem, f"pip install 'xcebra-nwb[{EXTRA_OF[package]}]'")


def is_installed(package: str) -> bool:
    """Return whether ``package`` is installed."""
    return find_spec(package) is not None


def packaged_path(path: str) -> Path:
    """Return where ``path`` of the repository is: inside the package when installed, beside it in a checkout.

    Raises:
        Failure: it is in neither place.
    """
    for place in (PACKAGE / f"_{path}", PACKAGE.parent / path):
        if place.exists():
            return place
    raise Failure(f"{path} is not installed with the package", "install xcebra-nwb again")


def config_file(name: Path) -> Path:
    """Return ``name``, or the example config of that name if there is no such file."""
    example = packaged_path(EXAMPLES) / f"{name}.yaml"
    return example if len(name.parts) == 1 and not name.exists() and example.exists() else name
