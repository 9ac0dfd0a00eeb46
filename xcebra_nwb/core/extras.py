"""Packages that only some commands need: they come with an extra of the installation, named like what it is for."""

from __future__ import annotations

from importlib.util import find_spec

from xcebra_nwb.core.errors import UsageError

EXTRA_OF = {"captum": "baselines", "dandi": "archive", "optuna": "tune", "ratinabox": "simulate"}


def need(package: str, purpose: str) -> None:
    """Do nothing where ``package`` is installed.

    Raises:
        UsageError: it is not; the line names what needs it, and the extra that brings it.
    """
    if not is_there(package):
        problem = f"{purpose} needs {package}, which is not installed"
        raise UsageError(problem, f"pip install 'xcebra-nwb[{EXTRA_OF[package]}]'")


def is_there(package: str) -> bool:
    """Return whether ``package`` is installed."""
    return find_spec(package) is not None
