"""Sessions trained in one process: each comes out as if it had been trained alone."""

import math
import resource
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.numpy import load_file

from tests.support.make_results import make_session
from tests.support.small_trainings import BLOCKS, OUTPUTS, generators, options, samples
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import current, train, train_each
from xcebra_nwb.core import netcdf, session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.training import checkpoint, memory, memory_groups, session_batch
from xcebra_nwb.training.checkpoint import Checkpoint
from xcebra_nwb.training.files import made_of
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.trainers import contrastive, padded
from xcebra_nwb.xcebra.trainers.padded import PaddedSessions
from xcebra_nwb.xcebra.trainers.snapshot import Snapshot

pytestmark = pytest.mark.slow

FILES = ("model.safetensors", "training.nc", "embedding.nc")
# Adam, since Muon makes rounding larger: it goes as far along directions that hardly matter as along the others.
FEW = {"optimizer": "adam", "steps": 32, "batch_size": 16, "seeds": 2, "nulls": 1, "device": "cpu"}
SETTINGS = schema.validate({"training": FEW, "encoder": {"hidden": 8}})
LAST_BIAS = "layers.3.bias"  # which the Euclidean loss does not see: rounding
WIDTHS = {"a": 12, "b": 10, "c": 11}


def recording(seed: int, bins: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    position = np.cumsum(rng.normal(size=(bins, 2)), axis=0)
    activity = np.tanh(position @ rng.normal(size=(2, units)) / 5) + 0.1 * rng.normal(size=(bins, units))
    return activity.astype(np.float32), position


@pytest.mark.parametrize(("name", "on_device"), [("mlp", False), ("conv10", False), ("mlp", True)])
def test_every_member_is_the_one_that_its_session_trains_alone(
    name: str, on_device: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrastive, "draws_itself", lambda device: on_device)  # as a card draws its batches
    sizes = [(300, 8), (300, 5), (300, 7)]
    recordings, positions = zip(*(recording(seed, *size) for seed, size in enumerate(sizes)), strict=True)
    shapes = [architecture(name, units, hidden=16, outputs=OUTPUTS) for _, units in sizes]
    data = [samples(position, [0, 90][: 1 + number % 2], 10) for number, position in enumerate(positions)]
    beside = PaddedSessions.of(recordings, shapes, 9, torch.device("cpu"))  # as in a stack with one still wider
    members, seeds = [len(own) for own in data], (1, 2, 3, 4)
    units = beside.units(members)
    assert units == [8, 5, 5, 7]
    stack = contrastive.train(
        beside.inputs, beside.shape, BLOCKS, beside.data(data), generators(*seeds), options(40), units=units
    )
    silent = stack.layers[0][0].view(4, shapes[0].kernels[0], 9, -1)
    assert all((silent[member, :, own:] == 0).all() for member, own in enumerate(units))
    split = iter(seeds)
    for number, (found, own) in enumerate(zip(beside.by_session(stack, members), data, strict=True)):
        inputs = torch.as_tensor(recordings[number])
        assert torch.equal(beside.recording(number).storage, inputs)
        mine = generators(*(next(split) for _ in own))
        alone = contrastive.train(inputs, shapes[number], BLOCKS, own, mine, options(40))
        np.testing.assert_allclose(found.loss, alone.loss, rtol=1e-4)
        for place, (one, other) in enumerate(zip(found.layers, alone.layers, strict=True)):
            torch.testing.assert_close(one[0], other[0], rtol=1e-3, atol=1e-4)
            if place < len(alone.layers) - 1:
                torch.testing.assert_close(one[1], other[1], rtol=1e-3, atol=1e-4)


def test_a_session_that_is_alone_is_not_copied() -> None:
    own, _ = recording(0, 50, 4)
    shape = architecture("mlp", 4, hidden=8, outputs=2)
    assert PaddedSessions.of([own], [shape], 4, torch.device("cpu")).inputs.storage.data_ptr() == own.ctypes.data


def test_an_ensemble_is_closed_before_its_zeros_cost_too_much() -> None:
    def stacks(*units: int, members: int = 3) -> list[list[int]]:
        shapes = [architecture("conv10", own, hidden=32, outputs=5) for own in units]
        return padded.groups(shapes, [members] * len(units))

    assert stacks(50) == [[0]]
    assert stacks(50, 60, 55) == [[1, 2, 0]]
    assert stacks(20, 900, 1000, 30) == [[2, 1], [3, 0]]
    shapes = [architecture("mlp", own, hidden=4, outputs=2) for own in range(10, 200, 7)]
    for stack in padded.groups(shapes, [1] * len(shapes)):
        multiplied = len(stack) * shapes[stack[0]].products
        assert multiplied <= padded.MOST * sum(shapes[one].products for one in stack)


def make(folder: Path, name: str, change: Callable[[xr.Dataset], xr.Dataset] = lambda made: made) -> Path:
    units = WIDTHS[name]
    made = make_session(np.random.default_rng(units), name=name, units=units).assign_attrs(sha256=f"{units:064}")
    session.save(change(made), folder / name / "session.nc")
    return folder / name


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [make(tmp_path / "beside", name) for name in WIDTHS]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every session trained by itself."""
    folder = tmp_path_factory.mktemp("alone")
    made = {name: make(folder, name) for name in WIDTHS}
    for directory in made.values():
        train(directory, SETTINGS)
    return made


def encoders(directory: Path) -> dict[str, np.ndarray]:
    return {name: weights for name, weights in load_file(directory / FILES[0]).items() if name != LAST_BIAS}


def assert_as_alone(directory: Path, alone: Path) -> None:
    for name, weights in encoders(alone).items():
        np.testing.assert_allclose(encoders(directory)[name], weights, rtol=1e-3, atol=1e-4)
    found, expected = (netcdf.load_dataset(where / "training.nc") for where in (directory, alone))
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
    np.testing.assert_allclose(found["held_out_loss"], expected["held_out_loss"], rtol=1e-3)
    np.testing.assert_array_equal(found["null_bin"], expected["null_bin"])
    assert found.attrs["made_of"] == expected.attrs["made_of"]


def test_sessions_side_by_side_leave_the_files_that_each_leaves_alone(
    three: list[Path], alone: dict[str, Path]
) -> None:
    assert train_each(three[::-1], SETTINGS) == {one: [one / name for name in FILES] for one in three}
    for directory in three:
        assert_as_alone(directory, alone[directory.name])
    for directory in (three[0], alone["a"]):
        attribute(directory, SETTINGS)
    one, other = (netcdf.load_dataset(where / "attribution.nc")["attribution"] for where in (three[0], alone["a"]))
    np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-4 * float(np.abs(other).max()))
    assert np.corrcoef(one.values[0].ravel(), other.values[0].ravel())[0, 1] > 0.9999


def test_supervised_sessions_are_trained_side_by_side_too(three: list[Path], tmp_path: Path) -> None:
    chosen = schema.validate({"training": FEW | {"loss": "supervised", "seeds": 1}, "encoder": {"hidden": 8}})
    train_each(three[:2], chosen)
    apart = make(tmp_path, "b")
    train(apart, chosen)
    for name, weights in encoders(apart).items():
        np.testing.assert_allclose(encoders(three[1])[name], weights, rtol=1e-3, atol=1e-4)


def test_sessions_whose_encoders_differ_form_ensembles_of_their_own(
    three: list[Path], alone: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(three[1].parent, "b", lambda made: made.drop_vars("choice"))  # one block less
    begun: list[int] = []
    original = contrastive.train

    def spy(*arguments: object) -> object:
        begun.append(len(arguments[4]))
        return original(*arguments)

    monkeypatch.setattr(contrastive, "train", spy)
    train_each(three, SETTINGS)
    assert begun == [1, 1, 10, 4]  # two are measured; 2 seeds and a null of every label each
    for name in ("a", "c"):
        assert_as_alone(three[0].parent / name, alone[name])


def test_one_session_that_is_refused_stops_no_other(three: list[Path], alone: dict[str, Path]) -> None:
    make(three[0].parent, "a", lambda made: made.isel(time=slice(0, 30)))
    written = train_each(three, SETTINGS)
    refusal = written.pop(three[0])
    assert isinstance(refusal, Refusal)
    assert refusal.code == Code.TOO_SHORT
    assert set(written) == set(three[1:])
    assert_as_alone(three[2], alone["c"])


@pytest.mark.parametrize("left", [20_000, 0, None])
def test_one_session_that_cannot_be_read_stops_no_other(
    left: int | None, three: list[Path], alone: dict[str, Path]
) -> None:
    file = three[0] / "session.nc"
    if left is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:left])
    written = train_each(three, SETTINGS)
    failure = written.pop(three[0])
    assert isinstance(failure, Failure)
    assert str(failure).startswith(f"{file}: ") and "extract" in failure.remedy
    assert set(written) == set(three[1:])
    assert_as_alone(three[2], alone["c"])


def test_one_session_that_cannot_be_written_stops_no_other(three: list[Path], alone: dict[str, Path]) -> None:
    (three[0] / FILES[2] / "in the way").mkdir(parents=True)
    written = train_each(three, SETTINGS)
    failure = written.pop(three[0])
    assert isinstance(failure, Failure)
    assert str(failure).startswith("a: ") and "Is a directory" in str(failure)
    assert set(written) == set(three[1:])
    assert_as_alone(three[2], alone["c"])
    with pytest.raises(Failure, match="Is a directory"):
        train(three[0], SETTINGS)


def test_a_disk_that_is_full_is_found_before_hdf5_ends_the_process(three: list[Path]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))  # what the kernel refuses as it does on a full disk
    try:
        written = train_each(three[:2], SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [type(outcome) for outcome in written.values()] == [Failure, Failure]
    assert "File too large" in str(written[three[0]])
    assert [file.name for file in three[0].iterdir()] == ["session.nc"]


def kept(directories: list[Path]) -> list[list[bytes]]:
    return [[(directory / name).read_bytes() for name in FILES] for directory in directories]


def test_on_a_processor_more_sessions_than_its_caches_hold_are_trained_one_after_the_other(
    three: list[Path], alone: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_batch, "NEAR", 1)
    train_each(three, SETTINGS)
    assert kept(three) == kept(list(alone.values()))


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.mark.parametrize("room", [100, 4])
def test_killed_in_the_middle_they_go_on_bit_by_bit(
    room: int, three: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for(monkeypatch, room)
    train_each(three, SETTINGS)
    whole = kept(three)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    original, offers = Checkpoint._offer, []

    def offer(self: Checkpoint, number: int, step: int, take: Callable[[], Snapshot]) -> None:
        original(self, number, step, take)
        offers.append((number, step))
        if len(offers) == (5 if room == 4 else 1):  # in the middle of the second group, which two sessions share
            raise Killed

    monkeypatch.setattr(Checkpoint, "_offer", offer)
    with pytest.raises(Killed):
        train_each(three, SETTINGS)
    assert (three[0] / checkpoint.NAME).exists()
    train_each(three, SETTINGS)
    assert kept(three) == whole
    assert offers.count((0, 16)) == 1
    assert not list(three[0].parent.glob(f"*/{checkpoint.NAME}"))


def room_for(monkeypatch: pytest.MonkeyPatch, members: float) -> None:
    """Let the device have as much memory free as so many members take, and all the recordings."""
    needed = [0]
    original = memory.peak_bytes

    def measured(work: Callable[[], object], device: torch.device) -> int:
        needed.append(original(work, device))
        return needed[-1]

    recordings = 4 * 600 * 3 * 12
    monkeypatch.setattr("xcebra_nwb.core.activity.SHARE", math.inf)  # what encoders see fits
    monkeypatch.setattr(memory, "peak_bytes", measured)
    monkeypatch.setattr(
        memory, "free_bytes", lambda device: int((needed[-1] * members + recordings) / memory_groups.SHARE) + 1
    )


def test_what_is_current_is_known_by_all_that_it_was_made_of(three: list[Path]) -> None:
    assert current(three[0], SETTINGS) == []
    train_each(three[:2], SETTINGS)
    assert current(three[0], SETTINGS) == [three[0] / name for name in FILES]
    other = SETTINGS.model_copy(update={"training": SETTINGS.training.model_copy(update={"sessions_at_once": 7})})
    assert current(three[0], other)
    assert not current(three[0], SETTINGS.model_copy(update={"random_seed": 1}))
    make(three[0].parent, "a", lambda made: made.isel(time=slice(0, 500)))
    assert not current(three[0], SETTINGS)
    (three[1] / FILES[2]).unlink()
    assert not current(three[1], SETTINGS)


@pytest.mark.parametrize("damage", ["a link to another file", "no file of this kind", "damage inside"])
def test_a_training_file_that_cannot_be_trusted_is_not_current(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "training.nc"
    if damage == "no file of this kind":
        path.write_bytes(b"x")
    else:
        xr.Dataset({"loss": ("step", [1.0, 2.0])}, attrs={"made_of": "abc"}).to_netcdf(path, engine="h5netcdf")
        assert made_of(tmp_path) == "abc"
        with h5py.File(path, "a") as file:
            if damage == "damage inside":
                del file["step"]
            else:
                file["away"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "/loss")
    assert made_of(tmp_path) == ""


def test_a_recording_without_room_is_an_ensemble_of_its_own_and_leaves_the_same(
    three: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for directory in three:
        train(directory, SETTINGS)
    alone = kept(three)
    monkeypatch.setattr("xcebra_nwb.core.activity.SHARE", 0.0)
    train_each(three, SETTINGS)
    assert caplog.text.count("memory has no room for: it is read from the disk") == 3
    assert kept(three) == alone  # byte by byte, as nothing is padded
