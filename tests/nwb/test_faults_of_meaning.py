"""Files that can be read and say something wrong: each ends masked, refused or named, never as a wrong number.

``python -m tests.support.fuzzing.meaning --count 300 --seed 1`` is the long run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.fuzzing.meaning.fault import Fault
from tests.support.fuzzing.meaning.faults import FAULTS
from tests.support.fuzzing.meaning.judge import Outcome, judged, run
from tests.support.fuzzing.meaning.twins import KINDS, Settings, make


@pytest.mark.parametrize("kind", KINDS)
def test_a_clean_recording_is_extracted_as_it_is(kind: str, tmp_path: Path) -> None:
    twin = make(kind, tmp_path / "twin.nwb", np.random.default_rng(3), Settings())
    outcome = judged(twin, Fault("clean", kind, lambda *_: None))
    assert outcome.ending == ("masked" if kind in {"choices", "laps"} else "right"), outcome.detail


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_masked_refused_or_named(name: str, tmp_path: Path) -> None:
    outcome = run(FAULTS[name], tmp_path, np.random.default_rng(1))
    assert outcome.good, outcome


def test_a_wrong_number_would_be_seen(tmp_path: Path) -> None:
    def inject(h5, twin, rng):  # type: ignore[no-untyped-def]
        data = h5["/processing/behavior/Position/position/data"]
        data[300:340] = data[100:140]

    outcome = run(Fault("copied", "roaming", inject), tmp_path, np.random.default_rng(1))
    assert isinstance(outcome, Outcome) and outcome.ending == "SILENT" and "position" in outcome.detail
