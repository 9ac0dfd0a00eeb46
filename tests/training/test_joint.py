"""Joint training from session.nc on: what sessions must have in common, what is written, who may be aligned."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_session
from xcebra_nwb.commands.align import align
from xcebra_nwb.commands.train import train
from xcebra_nwb.commands.train_together import prepared_sessions, train_together
from xcebra_nwb.core import session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Failure, Refusal, UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import load
from xcebra_nwb.training import checkpoint
from xcebra_nwb.training.design.shared_labels import comparable, largest_group
from xcebra_nwb.xcebra.sampling.windows import TRAIN
from xcebra_nwb.xcebra.trainers import align as core
from xcebra_nwb.xcebra.trainers import joint
from xcebra_nwb.xcebra.trainers.joint import exchanged
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint, Snapshot

pytestmark = pytest.mark.slow

NAMES = ("model.safetensors", "training.nc", "embedding.nc")
QUICK = {"steps": 4, "batch_size": 16, "seeds": 1, "nulls": 2, "device": "cpu", "regularizer": {"ramp": [0, 0]}}
SETTINGS = schema.validate({"training": QUICK, "encoder": {"hidden": 8}})
Change = Callable[[xr.Dataset], xr.Dataset]


def make(folder: Path, name: str, units: int, change: Change = lambda made: made) -> Path:
    made = make_session(np.random.default_rng(units), name=name, units=units).assign_attrs(sha256=f"{units:064}")
    session.save(change(made), folder / name / "session.nc")
    return folder / name


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [make(tmp_path, name, units) for name, units in (("a", 12), ("b", 10), ("c", 11))]


def digests(directories: list[Path]) -> list[str]:
    """What the encoders and the latents are; the time that training took is part of training.nc."""
    return [sha256(directory / name) for directory in sorted(directories) for name in ("model.safetensors", NAMES[2])]


def with_attrs(label: str, **attrs: str) -> Change:
    def change(made: xr.Dataset) -> xr.Dataset:
        return made.assign({label: made[label].assign_attrs(attrs)})

    return change


def test_every_session_gets_the_files_of_train_which_say_who_shares_the_space(three: list[Path]) -> None:
    written = train_together(three, SETTINGS)
    assert written == {directory: [directory / name for name in NAMES] for directory in three}
    histories = [load_dataset(directory / "training.nc") for directory in three]
    assert len({history.attrs["space"] for history in histories}) == 1
    for directory, history in zip(three, histories, strict=True):
        others = json.loads(history.attrs["trained_with"])
        assert {name: (directory / path).resolve() for name, path in others.items()} == {
            other.name: other for other in three if other != directory
        }
        assert json.loads(history.attrs["config"])["training"]["together"] is True
        embedding = load_dataset(directory / "embedding.nc")["embedding"]
        valid = session.load(directory / "session.nc")["valid"].values
        assert np.isfinite(embedding.values[:, valid]).all()
        assert set(history["broken"].values) == {"", "position", "head_direction", "choice"}
    assert not np.array_equal(histories[0]["null_bin"], histories[1]["null_bin"])  # each broken in its own way


def test_labels_are_measured_by_one_scale_in_all_sessions_and_in_one_that_is_aligned(three: list[Path]) -> None:
    def scale(directory: Path) -> np.ndarray:
        return load_dataset(directory / "training.nc")["label_scale"].sel(objective="position").values

    alone = []
    for directory in three:
        train(directory, SETTINGS)
        alone.append(scale(directory))
    assert not np.allclose(alone[0], alone[1])
    train_together(three[:2], SETTINGS)
    align(three[2], three[:1])
    for directory in three:
        np.testing.assert_allclose(scale(directory), np.mean(alone[:2], axis=0))


def test_a_class_and_a_place_within_it_are_found_in_other_sessions(three: list[Path]) -> None:
    turned = load_dataset(three[1] / "session.nc")
    codes = turned["choice"].values
    other = turned["choice"].copy(data=np.where(codes >= 0, 1 - codes, -1)).assign_attrs(classes='["right", "left"]')
    session.save(turned.assign(choice=other), three[1] / "session.nc")
    mixed = {"name": "place", "outputs": [0, 3], "positive": "mixed", "label": "position", "within": "choice"}
    chosen = schema.validate({"training": QUICK, "encoder": {"outputs": 3}, "objectives": [mixed]})
    sessions = {directory.name: load(directory / "session.nc") for directory in three}
    ready, refused = prepared_sessions(sessions, chosen)
    assert not refused
    parts = [one.samples(TRAIN) for one in ready.values()]
    generator = np.random.default_rng(0)
    references = np.stack([generator.integers(len(part[0].bins), size=(2, 50)) for part in parts])
    positives, slots = exchanged([part[0].rules[0] for part in parts], references, generator)
    classes = [
        np.asarray(json.loads(one.session["choice"].attrs["classes"]))[one.session["choice"].values[part[0].bins]]
        for one, part in zip(ready.values(), parts, strict=True)
    ]
    found = np.stack([names[picked] for names, picked in zip(classes, positives, strict=True)])
    flat = found.swapaxes(0, 1).reshape(2, -1)
    for number, names in enumerate(classes):
        got = np.take_along_axis(flat, slots[number], axis=1)
        np.testing.assert_array_equal(got, names[references[number]])


def test_the_order_in_which_sessions_are_named_changes_nothing(three: list[Path]) -> None:
    train_together(three, SETTINGS)
    first = digests(three)
    train_together([three[2], three[0], three[1]], SETTINGS)
    assert digests(three) == first


def test_a_single_session_trained_together_is_the_session_trained_alone(three: list[Path]) -> None:
    train(three[0], SETTINGS)
    alone = digests(three[:1])
    train_together(three[:1], SETTINGS)
    assert digests(three[:1]) == alone


DIFFERENT = [
    (with_attrs("position", units="cm"), "label position, units: cm here, m in a"),
    (with_attrs("choice", classes='["left", "none"]'), "label choice, classes: left, none here, left, right in a"),
    (lambda made: made.drop_vars("choice"), "label choice: absent here, there in a"),
    (lambda made: made.assign_attrs(bin_width=0.1), "bin width: 0.1 s here, 0.05 s in a"),
    (
        lambda made: made.drop_vars("position").assign(position=made["position"].isel(position_axis=[0])),
        "label position, axes: 1 here, 2 in a",
    ),
    (
        lambda made: made.assign(head_direction=made["head_direction"].assign_attrs(kind="continuous")),
        "label head_direction, kind: continuous here, circular in a",
    ),
]


@pytest.mark.parametrize(("change", "says"), DIFFERENT, ids=[says for _, says in DIFFERENT])
def test_a_session_whose_labels_mean_something_else_is_refused_in_one_line(
    change: Change, says: str, three: list[Path]
) -> None:
    odd = make(three[0].parent, "b", 10, change)
    without_nulls = schema.validate({"training": QUICK | {"nulls": 0}, "encoder": {"hidden": 8}})
    with pytest.raises(Refusal, match=says):
        train_together(three, without_nulls)
    assert not (three[0] / "training.nc").exists()
    outcomes = train_together(three, without_nulls, strict=False)
    assert isinstance(outcomes[odd], Refusal)
    assert says in str(outcomes[odd])
    assert set(json.loads(load_dataset(three[0] / "training.nc").attrs["trained_with"])) == {"c"}


def test_the_largest_group_that_agrees_is_trained_the_first_of_equals() -> None:
    kept, differing = largest_group({"a": {"units": "cm"}, "b": {"units": "m"}, "c": {"units": "m"}})
    assert kept == ["b", "c"]
    assert differing == {"a": "units: cm here, m in b"}
    assert largest_group({"a": {"units": "cm"}, "b": {"units": "m"}})[0] == ["a"]


def test_classes_are_told_by_their_names_and_labels_whatever_order_the_files_have() -> None:
    first, second = (make_session(np.random.default_rng(seed)) for seed in (0, 1))
    turned = second["choice"].copy(data=np.where(second["choice"] >= 0, 1 - second["choice"], -1))
    other = second.drop_vars("choice").assign(choice=turned.assign_attrs(classes='["right", "left"]'))
    other = other.drop_vars("position").assign(position=second["position"])
    one, same, mapped = comparable([first, second, other])
    assert list(session.labels(one)) == list(session.labels(mapped)) == ["position", "head_direction", "choice"]
    assert mapped["choice"].attrs["classes"] == one["choice"].attrs["classes"]
    np.testing.assert_array_equal(mapped["choice"], same["choice"])


def test_a_batch_smaller_than_the_number_of_sessions_and_two_sessions_of_one_name_are_refused(
    three: list[Path],
) -> None:
    small = schema.validate({"training": QUICK | {"batch_size": 2}})
    with pytest.raises(UsageError, match="3 sessions share a batch of 2"):
        train_together(three, small)
    namesake = make(three[0].parent / "elsewhere", "a", 9)
    with pytest.raises(UsageError, match="same name"):
        train_together([*three, namesake], SETTINGS)


def test_supervised_encoders_have_nothing_to_share() -> None:
    with pytest.raises(UsageError, match="no pairs to exchange"):
        schema.validate({"training": {"together": True, "loss": "supervised"}})


def test_a_left_out_session_is_aligned_to_others_which_stay_as_they_are(three: list[Path]) -> None:
    *references, later = three
    train_together(references, SETTINGS)
    before = digests(references)
    align(later, references)
    assert digests(references) == before
    history, space = load_dataset(later / "training.nc"), load_dataset(references[0] / "training.nc").attrs["space"]
    assert history.attrs["space"] == space
    assert json.loads(history.attrs["aligned_to"]) == {"a": "../a", "b": "../b"}
    assert json.loads(history.attrs["config"])["training"]["steps"] == QUICK["steps"]
    first = digests([later])
    align(later, references[::-1])
    assert digests([later]) == first


def test_a_session_is_not_aligned_to_what_shares_no_space_or_no_meaning(three: list[Path]) -> None:
    first, second, later = three
    for directory in (first, second):
        train(directory, SETTINGS)
    with pytest.raises(UsageError, match="were not trained together"):
        align(later, [first, second])
    with pytest.raises(UsageError, match="to itself"):
        align(first, [first])
    odd = make(later.parent, "c", 11, with_attrs("position", units="cm"))
    with pytest.raises(Refusal, match="label position, units: cm here, m in a"):
        align(odd, [first])
    with pytest.raises(UsageError, match=r"training\.nc: no such file"):
        align(first, [later])


def test_members_are_those_that_all_sessions_have(three: list[Path]) -> None:
    train_together(three[:2], schema.validate({"training": QUICK | {"nulls": 1}, "encoder": {"hidden": 8}}))
    align(three[2], [three[1]])
    stacks = [load_dataset(directory / "training.nc") for directory in three]
    for name in ("role", "broken", "number"):
        assert len({tuple(stack[name].values.tolist()) for stack in stacks}) == 1


@pytest.mark.parametrize("strict", [True, False])
def test_a_session_that_cannot_be_read_is_said_before_anything_is_trained(three: list[Path], strict: bool) -> None:
    (three[1] / "session.nc").write_bytes(b"damaged")
    with pytest.raises(Failure, match=r"b/session\.nc: not a netCDF4 file"):
        train_together(three, SETTINGS, strict=strict)
    assert not any((directory / "training.nc").exists() for directory in three)


def test_a_session_that_cannot_be_written_stops_no_other_and_the_checkpoint_is_kept(
    three: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    (three[1] / "embedding.nc").mkdir()  # no file can take its name
    outcomes = train_together(three, SETTINGS)
    assert isinstance(outcomes[three[1]], Failure)
    assert not (three[1] / "training.nc").exists()
    for directory in (three[0], three[2]):
        assert outcomes[directory] == [directory / name for name in NAMES]
    assert (three[0] / checkpoint.NAME).exists()  # the others are trained again with it, from there
    expected = digests([three[0], three[2]])
    (three[1] / "embedding.nc").rmdir()
    outcomes = train_together(three, SETTINGS)
    assert outcomes == {directory: [directory / name for name in NAMES] for directory in three}
    assert digests([three[0], three[2]]) == expected
    assert not (three[0] / checkpoint.NAME).exists()


class Killed(BaseException):
    """Stands for a kill."""


def killed_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """End the next training with :class:`Killed` once its second draw is kept; the steps at which trainings begin."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(joint, "STEPS_A_DRAW", 4)
    monkeypatch.setattr(core, "STEPS_A_DRAW", 2)
    original, pending, begun = checkpoint.Checkpoint._offer, [True], []
    resume = checkpoint.Checkpoint.resume_point

    def offer(self: checkpoint.Checkpoint, number: int, step: int, take: Callable[[], Snapshot]) -> None:
        original(self, number, step, take)
        if pending and step == 2:
            pending.clear()
            raise Killed

    def spy(self: checkpoint.Checkpoint, number: int) -> ResumePoint:
        found = resume(self, number)
        begun.append(found.start.step if found.start else 0)
        return found

    monkeypatch.setattr(checkpoint.Checkpoint, "_offer", offer)
    monkeypatch.setattr(checkpoint.Checkpoint, "resume_point", spy)
    return begun


def test_killed_in_one_space_or_in_alignment_they_go_on(three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    begun = killed_once(monkeypatch)
    with pytest.raises(Killed):
        train_together(three[:2], SETTINGS)
    train_together(three[:2], SETTINGS)
    continued = digests(three[:2])
    train_together(three[:2], SETTINGS)
    assert digests(three[:2]) == continued
    assert begun == [0, 2, 0]
    begun = killed_once(monkeypatch)
    with pytest.raises(Killed):
        align(three[2], three[:1])
    align(three[2], three[:1])
    continued = digests(three[2:])
    align(three[2], three[:1])
    assert digests(three[2:]) == continued
    assert begun[-3:] == [0, 2, 0]
    assert not list(three[0].parent.glob(f"*/{checkpoint.NAME}"))
