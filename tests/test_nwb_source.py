"""A recording is the same wherever it is read from, and reading it reads little else."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from tests import nwb_builders as build
from tests.range_server import serving
from xcebra_nwb.config import validate
from xcebra_nwb.errors import Failure
from xcebra_nwb.nwb.extract import extract_session
from xcebra_nwb.nwb.file import open_nwb
from xcebra_nwb.nwb.inventory import inventory


def test_an_address_and_an_open_file_give_the_dataset_of_the_path(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "here.nwb")
    local = extract_session(path, validate({}), "one")
    with serving(tmp_path) as server, path.open("rb") as stream:
        remote = extract_session(server.address("here.nwb"), validate({}), "one")
        streamed = extract_session(stream, validate({}), "one")
        assert inventory(server.address("here.nwb")).file.path == server.address("here.nwb")
    for other in (remote, streamed):
        xr.testing.assert_equal(other, local)
        assert other.attrs["choices"] == local.attrs["choices"]
    assert remote.attrs["source"].endswith("/here.nwb") and remote.attrs["source"].startswith("http://127")
    assert remote.attrs["sha256"] == ""  # not known without reading all of it


def test_an_address_that_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with pytest.raises(Failure, match="cannot be read"), open_nwb(server.address("none.nwb")):
            pass
        address = server.address("gone.nwb")
    with pytest.raises(Failure, match="cannot be read"), open_nwb(address):
        pass
