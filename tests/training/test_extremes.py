"""The ends of what can be asked for: one encoder and no null, a batch of more than there is, a card others fill."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.make_results import make_session
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import netcdf, session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.training import memory, memory_groups
from xcebra_nwb.training.checkpoint import Checkpoint
from xcebra_nwb.training.memory_groups import train_in_groups
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
ONE = {"steps": 30, "batch_size": 16, "seeds": 1, "nulls": 0, "device": "cpu"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    session.save(make_session(np.random.default_rng(0)), tmp_path / "session.nc")
    return tmp_path


def test_one_encoder_and_no_null_go_all_the_way_and_say_what_cannot_be_known(place: Path) -> None:
    chosen = schema.validate({"training": ONE})
    train(place, chosen)
    attribute(place, chosen)
    assess(place)
    maps = netcdf.load_dataset(place / "attribution.nc")
    assert dict(maps.sizes).items() >= {"seed": 1, "null": 0}.items()
    assert np.isfinite(maps["attribution"]).all()
    for name, reason in {"z": "null", "q_value": "null", "attribution_sd": "single seed"}.items():
        assert np.isnan(maps[name]).all()
        assert reason in maps.attrs[f"{name}_reason"]
    for label in json.loads((place / "assessment.json").read_text())["labels"].values():
        assert label["verdict"] != "supported"
        assert label["consistency"]["maps"] is None
        assert label["decoding"]["nulls"] == []


def test_a_batch_of_more_than_there_is_to_train_on_is_refused_with_both_numbers(place: Path) -> None:
    chosen = schema.validate({"training": ONE | {"batch_size": 600}})
    with pytest.raises(Refusal, match=r"^\d+ bins to train on .*fewer than a batch of 600 \(lower training.batch_size"):
        train(place, chosen)
    assert [file.name for file in place.iterdir()] == ["session.nc"]


def test_a_precision_that_the_device_does_not_have_is_said(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(place, schema.validate({"training": ONE}))
    assert "precision" not in caplog.text
    train(place, schema.validate({"training": ONE | {"precision": "tf32"}}))
    assert caplog.text.count("training.precision: tf32 is for CUDA cards: cpu computes in float32") == 1


def test_memory_is_measured_again_when_it_ran_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free, sizes = [800.0], []
    monkeypatch.setattr(memory, "free_bytes", lambda device: free[0] / memory_groups.SHARE)

    def work(members: range, resume: ResumePoint) -> list[int]:
        sizes.append(len(members))
        if len(members) == 8:
            free[0] = 300.0  # others came
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(members)

    checkpoint = Checkpoint(tmp_path, "this training", [range(8)], 100)
    found = train_in_groups(checkpoint, CPU, lambda members: 100 * len(members), work)
    assert sizes == [8, 3, 3, 2]
    assert [member for group in found for member in group] == list(range(8))


def test_memory_that_others_keep_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 50e6)

    def work(members: range, resume: ResumePoint) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    checkpoint = Checkpoint(tmp_path, "this training", [range(4)], 100)
    with pytest.raises(Failure, match=r"^out of memory on cpu with one encoder at a time \(0.1 GB free\) \(lower "):
        train_in_groups(checkpoint, CPU, lambda members: 10**8 * len(members), work)
