"""Things that take long to make, made once for all processes of a test run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process that asks for it fills; the others wait. Nobody may change it.

    Args:
        factory: Of the folders of this test run.
        name: Of the folder.
        make: Fills the folder, which is there and empty.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    finished = folder.with_name(f"{name}.finished")
    with FileLock(folder.with_name(f"{name}.lock")):
        if not finished.exists():
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder
