"""A short run of damaged files, and the files that once ended badly.

``python -m tests.support.fuzzing.run 0 1000`` is the long run.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.support.fuzzing import run as fuzz

REGRESSIONS = {
    2: "an empty dataset as timestamps",
    4: "Zarr metadata of another type",
    14: "a Zarr chunk that does not decode",
    17: "a conversion that is a text",
    38: "a series whose starting time is gone",
    88: "10**12 regions of interest",
    116: "10**12 session descriptions",
    199: "a Zarr shape of texts",
    284: "a Zarr group of another format",
    293: "a response series without data",
    409: "a text with a NUL in it",
    517: "a text of no values",
    851: "a starting time of no values",
}
SHORT = range(1000, 1015)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fuzz.make_bases(tmp_path_factory.mktemp("bases"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*REGRESSIONS, *SHORT])
def test_a_damaged_file_ends_in_a_session_or_in_one_line(bases: dict[str, Path], tmp_path: Path, seed: int) -> None:
    assert fuzz.run_apart(bases, seed, tmp_path) == ""
