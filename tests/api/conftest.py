"""A small session, analysed by the commands once, for all tests of the Python interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.make_results import make_results
from tests.support.shared import made_once
from tests.support.whole_analysis import NAME, analysed


@pytest.fixture(scope="session")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a tiny recording, from the NWB file to the export, as the workflow's commands make it."""

    def make(folder: Path) -> None:
        source = nwb_builders.tiny(folder / "tiny.nwb", only_position=True)
        (folder / NAME).mkdir()
        analysed(source, folder / NAME)

    return made_once(tmp_path_factory, "workflow_of_api", make) / NAME


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with the results of two sessions, made without training."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("sub-a_ses-1", "sub-a_ses-2"):
        (folder / name).mkdir()
        make_results(folder / name)
    return folder
