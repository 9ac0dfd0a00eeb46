"""What tests of all rooms share: fixtures, and the markers that follow from what a test uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.paths import ROOT, SHARED

# Whole runs of Snakemake, and a thousand small attacks: neither is part of the inner loop.
SLOW_FOLDERS = (ROOT / "tests" / "workflow", ROOT / "tests" / "security")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "archive" in fixtures:
            item.add_marker(pytest.mark.archive)
        if "shared_data" in fixtures or any(item.path.is_relative_to(folder) for folder in SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA card")
    if item.get_closest_marker("thorough") and "XCEBRA_NWB_THOROUGH" not in os.environ:
        pytest.skip("half a minute or more: make test-thorough")
    if item.get_closest_marker("slurm") and "XCEBRA_NWB_SLURM" not in os.environ:
        pytest.skip("minutes on a SLURM of its own: make test-slurm")


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache and a key of it that are not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XCEBRA_NWB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def shared_data() -> Path:
    """The folder of the real recordings, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real recordings (../shared/data) are not here")
    return SHARED


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """An archive on this machine, an empty cache, no keys of the user, and pauses that take no time."""
    monkeypatch.setenv("XCEBRA_NWB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("DANDI_API_KEY", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Loopback() as archive:
        yield archive
