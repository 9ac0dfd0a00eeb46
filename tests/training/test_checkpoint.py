"""Checkpoints and groups of members: a killed training goes on as if nothing had been, and memory may be scarce."""

import errno
import platform
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.support.make_results import make_session
from tests.support.small_trainings import BLOCKS, UNITS, options, recording, samples
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import host_memory, netcdf, session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.training import checkpoint as module
from xcebra_nwb.training import memory, memory_groups
from xcebra_nwb.training.checkpoint import NAME, Checkpoint, Group
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.out_of_memory import ran_out
from xcebra_nwb.xcebra.trainers import contrastive, loss_curve, optimize, supervised
from xcebra_nwb.xcebra.trainers.optimize import Trained
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint, Snapshot
from xcebra_nwb.xcebra.trainers.stepper import RecordedStepper

pytestmark = pytest.mark.slow

FEW = {"steps": 60, "batch_size": 16, "seeds": 2, "nulls": 1, "device": "cpu"}
FILES = ("model.safetensors", "training.nc", "embedding.nc")


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


def stack(steps: int, resume: ResumePoint | None = None, name: str = "mlp", **changes: object) -> Trained:
    activity, position = recording()
    shape = architecture(name, UNITS, hidden=16, outputs=4)
    generators = [np.random.default_rng(seed) for seed in (1, 2, 3)]
    data = samples(position, [0, 0, 90], shape.window)
    return contrastive.train(
        activity, shape, BLOCKS, data, generators, options(steps, **changes), lambda done: None, resume
    )


def assert_same(one: Trained, other: Trained) -> None:
    for first, second in zip(one.layers, other.layers, strict=True):
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])
    for name in ("step", "loss", "regularizer_weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(("name", "steps"), [("mlp", 40), ("conv10", 40), ("mlp", 45)])
def test_a_training_goes_on_from_any_snapshot_bit_by_bit(
    name: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_curve, "RECORDS", 15 if steps == 45 else steps)  # a record every three steps, or each
    kept: dict[int, Snapshot] = {}
    whole = stack(steps, ResumePoint(on_checkpoint=lambda step, take: kept.update({step: take()})), name, decay=0.5)
    assert list(kept) == [*range(16, steps, 16), steps]
    assert_same(whole, stack(steps, name=name, decay=0.5))
    for step in (16, 32, steps):
        assert_same(whole, stack(steps, ResumePoint(kept[step]), name, decay=0.5))


def test_a_training_by_recorded_steps_is_the_plain_one_and_goes_on_from_a_snapshot(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = stack(40, decay=0.5, regularizer_ramp=(0.3, 0.8))
    monkeypatch.setattr(optimize, "Stepper", partial(RecordedStepper, record=lambda step: step))
    kept: dict[int, Snapshot] = {}
    keep = ResumePoint(on_checkpoint=lambda step, take: kept.update({step: take()}))
    recorded = stack(40, keep, decay=0.5, regularizer_ramp=(0.3, 0.8))
    again = stack(40, ResumePoint(kept[16]), decay=0.5, regularizer_ramp=(0.3, 0.8))
    assert not caplog.records  # it has proved itself
    assert_same(recorded, again)
    np.testing.assert_allclose(recorded.loss, plain.loss, rtol=1e-4)
    for (weight, _), (other, _) in zip(recorded.layers, plain.layers, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-3, atol=1e-4)


def trained(directory: Path, **changes: object) -> dict[str, bytes | object]:
    """The weights and the datasets that training leaves, and the bytes of its files."""
    train(directory, schema.validate({"training": FEW | changes}))
    found: dict[str, object] = {"layers": load_file(directory / FILES[0])}
    for name in FILES[1:]:
        found[name] = netcdf.load_dataset(directory / name)
    found["bytes"] = [(directory / name).read_bytes() for name in FILES]
    return found


def assert_equal(one: dict, other: dict) -> None:
    assert one["layers"].keys() == other["layers"].keys()
    for name, weights in one["layers"].items():
        np.testing.assert_array_equal(weights, other["layers"][name])
    for name in FILES[1:]:
        assert one[name].identical(other[name])
    assert one["bytes"] == other["bytes"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    session.save(make_session(np.random.default_rng(0)), directory / "session.nc")
    return directory


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    (tmp_path / "session.nc").symlink_to(made / "session.nc")
    return tmp_path


@pytest.fixture(scope="module")
def never_killed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    directory = tmp_path_factory.mktemp("whole")
    (directory / "session.nc").symlink_to(made / "session.nc")
    return trained(directory)


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int, error: type[BaseException] = Killed) -> None:
    """End the next training with ``error`` after so many steps, once they are kept."""
    monkeypatch.setattr(module, "SECONDS", 0.0)
    original, pending = Checkpoint._offer, [after]

    def offer(self: Checkpoint, number: int, step: int, take: Callable[[], Snapshot]) -> None:
        original(self, number, step, take)
        if pending and self._steps > 1 and step >= pending[0]:
            pending.clear()
            raise error

    monkeypatch.setattr(Checkpoint, "_offer", offer)


def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Members and first step of every training that is begun, except of those that measure."""
    seen: list[tuple[int, int]] = []
    original = contrastive.train

    def spy(*arguments: object) -> Trained:
        generators, chosen, _, resume = arguments[4:8]
        if chosen.steps > 1:
            seen.append((len(generators), resume.start.step if resume.start else 0))
        return original(*arguments)

    monkeypatch.setattr(contrastive, "train", spy)
    return seen


def test_a_killed_command_goes_on_and_leaves_what_one_never_killed_leaves(
    place: Path, never_killed: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "xcebra_nwb")
    interrupt(monkeypatch, after=32)
    begun = starts(monkeypatch)
    with pytest.raises(Killed):
        trained(place)
    assert {file.name for file in place.iterdir()} == {"session.nc", NAME}
    assert_equal(trained(place), never_killed)
    assert [step for _, step in begun] == [0, 32]
    assert f"resuming from {NAME} at step 32" in caplog.text
    assert {file.name for file in place.iterdir()} == {"session.nc", *FILES}


def test_trained_twice_it_leaves_the_same_bytes_and_the_log_says_what_it_took(
    place: Path, never_killed: dict, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "xcebra_nwb")
    assert_equal(trained(place), never_killed)
    assert re.search(r"5 members in \d+\.\d s on cpu, threads: 1$", caplog.text, re.MULTILINE)


def test_killed_from_outside_it_goes_on_and_leaves_the_same(place: Path, never_killed: dict) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from xcebra_nwb.commands.train import train\n"
        "from xcebra_nwb.core.config import schema\nfrom xcebra_nwb.training import checkpoint\n"
        "checkpoint.SECONDS, save = 0.0, checkpoint.Checkpoint._save\n"
        "checkpoint.Checkpoint._save = lambda self: (save(self), time.sleep(600))\n"
        f"train(pathlib.Path(sys.argv[1]), schema.validate({{'training': {FEW!r}}}))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(place)])
    while not (place / NAME).exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    (place / f".{process.pid}-{NAME}").touch()  # as when the kill comes in the middle of writing
    assert Checkpoint(place, "another training", [range(5)], 60).groups == [Group(range(5))]
    assert_equal(trained(place), never_killed)
    assert {file.name for file in place.iterdir()} == {"session.nc", *FILES}


@pytest.mark.parametrize("change", ["settings", "code", "data", "versions", "torn", "empty"])
def test_a_checkpoint_of_something_else_is_not_taken_up(
    place: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    interrupt(monkeypatch, after=16)
    with pytest.raises(Killed):
        trained(place)
    begun, changes = starts(monkeypatch), {}
    if change == "settings":
        changes = {"learning_rate": 1e-3}
    elif change == "code":
        monkeypatch.setattr(module, "fingerprint", lambda command: "other")
    elif change == "data":
        (place / "session.nc").unlink()
        session.save(make_session(np.random.default_rng(1)), place / "session.nc")
    elif change == "versions":
        monkeypatch.setattr(module, "software", lambda: {"torch": "0"})
    else:
        (place / NAME).write_bytes(b"" if change == "empty" else (place / NAME).read_bytes()[:-100])
    trained(place, **changes)
    assert [step for _, step in begun] == [0]
    assert not (place / NAME).exists()


def test_a_checkpoint_that_lacks_what_it_should_hold_is_not_taken_up(place: Path) -> None:
    save_file({"a": np.zeros(3)}, place / NAME)
    assert Checkpoint(place, "mine", [range(3)], 60).groups == [Group(range(3))]


def test_supervised_training_goes_on_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, after=32)
    with pytest.raises(Killed):
        trained(place, loss="supervised")
    calls: list[int] = []
    original = supervised.train

    def spy(*arguments: object) -> Trained:
        resume = arguments[7]
        calls.append(resume.start.step if resume.start else 0)
        return original(*arguments)

    monkeypatch.setattr(supervised, "train", spy)
    found = trained(place, loss="supervised")
    assert max(calls) == 32
    assert_equal(found, trained(place, loss="supervised"))


def test_a_disk_without_room_for_a_checkpoint_costs_no_training_and_is_said_once(
    place: Path, never_killed: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(arrays: object, metadata: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "SECONDS", 0.0)
    monkeypatch.setattr(module, "serialize", full)
    assert_equal(trained(place), never_killed)
    assert caplog.text.count(f"{NAME} cannot be written ([Errno {errno.ENOSPC}] ") == 1
    assert not (place / NAME).exists()


def memory_for(monkeypatch: pytest.MonkeyPatch, members: int) -> None:
    """Let training run out of memory with more members at once, at its second draw."""
    original = contrastive.objective_losses
    counts: dict[int, int] = {}

    def limited(inputs: object, shape: object, layers: list, *rest: object) -> object:
        size = len(layers[0][0])
        counts[size] = counts.get(size, 0) + 1
        if size > members and counts[size] > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return original(inputs, shape, layers, *rest)

    monkeypatch.setattr(contrastive, "objective_losses", limited)


def test_out_of_memory_halves_the_group_and_goes_on_from_its_snapshot(
    place: Path, never_killed: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)
    memory_for(monkeypatch, 2)
    begun = starts(monkeypatch)
    found = trained(place)
    assert begun == [(5, 0), (2, 16), (2, 16), (1, 16)]
    assert "out of memory with 5 encoders at once, continuing with 2" in caplog.text
    for name in set(never_killed["layers"]) - {"layers.3.bias"}:  # which the loss does not see: rounding
        np.testing.assert_allclose(found["layers"][name], never_killed["layers"][name], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["training.nc"]["loss"], never_killed["training.nc"]["loss"], rtol=1e-4)
    np.testing.assert_allclose(
        found["training.nc"]["held_out_loss"], never_killed["training.nc"]["held_out_loss"], rtol=1e-3
    )
    np.testing.assert_array_equal(found["training.nc"]["null_bin"], never_killed["training.nc"]["null_bin"])


def test_killed_between_groups_it_begins_no_group_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 2)
    whole = trained(place)
    begun = starts(monkeypatch)
    original, calls = contrastive.held_out_losses, []

    def once(*arguments: object) -> np.ndarray:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(contrastive, "held_out_losses", once)
    with pytest.raises(Killed):
        trained(place)
    assert_equal(trained(place), whole)
    assert begun == [(2, 0), (2, 0), (2, 60), (2, 60), (1, 0)]


def room_for(monkeypatch: pytest.MonkeyPatch, members: float) -> None:
    """Let the device have as much memory free as so many members take."""
    needed = []
    original = memory.peak_bytes

    def measured(work: Callable[[], object], device: torch.device) -> int:
        needed.append(original(work, device))
        return needed[-1]

    def free(device: torch.device) -> int:
        return int(needed[-1] * members / memory_groups.SHARE) + 1 if needed else 2**40

    monkeypatch.setattr(memory, "peak_bytes", measured)
    monkeypatch.setattr(memory, "free_bytes", free)


def test_the_groups_fit_what_is_free(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 3)
    begun = starts(monkeypatch)
    found = trained(place)
    assert begun == [(3, 0), (2, 0)]
    assert found["training.nc"].sizes["member"] == 5
    assert np.isfinite(found["embedding.nc"]["embedding"].isel(time=slice(100, 200))).any()


def test_a_single_member_that_does_not_fit_is_a_failure_in_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_for(monkeypatch, 0)
    with pytest.raises(Failure, match=r"out of memory on cpu with one encoder at a time .*GB free.*batch_size"):
        trained(place, seeds=1, nulls=0)


def test_another_error_is_not_taken_for_a_lack_of_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, 16, RuntimeError)
    with pytest.raises(RuntimeError):
        trained(place)


def test_the_memory_of_a_piece_of_work_is_its_peak_and_not_its_sum() -> None:
    def work() -> torch.Tensor:
        total = torch.zeros(1000)
        for _ in range(50):
            total = total + torch.ones(1000)
        return total

    assert 3 * 4000 <= memory.peak_bytes(work, torch.device("cpu")) <= 4 * 4000


def test_twice_the_members_take_twice_the_memory() -> None:
    activity, position = recording()
    shape = architecture("mlp", UNITS, hidden=16, outputs=4)

    def taken(members: int) -> int:
        generators = [np.random.default_rng(seed) for seed in range(members)]
        data = samples(position, [0] * members)
        chosen = replace(options(1, regularizer_ramp=(0.0, 0.0)), batch_size=64)
        return memory.peak_bytes(
            lambda: contrastive.train(activity, shape, BLOCKS, data, generators, chosen), torch.device("cpu")
        )

    assert taken(4) == pytest.approx(4 * taken(1), rel=0.01)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_memory_that_was_freed_is_not_asked_of_the_system_again() -> None:
    memory.keep_freed()
    pages = 50 * (20 << 20) // resource.getpagesize()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(50):
            torch.ones(5 << 20)  # 20 MB
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    assert faults() < pages / 10


def test_memory_is_what_the_job_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_memory, "CGROUP", tmp_path)
    cpu = torch.device("cpu")
    whole = memory.free_bytes(cpu)
    (tmp_path / "memory.current").write_text("600\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes(cpu) == pytest.approx(whole, rel=0.5)
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory.free_bytes(cpu) == 400
    (tmp_path / "memory.stat").write_text("anon 300\nactive_file 100\ninactive_file 150\n")
    assert memory.free_bytes(cpu) == 650  # what holds parts of files is ours when we want it


@pytest.mark.parametrize(
    ("line", "own", "above", "limit", "usage"),
    [
        ("0::/slurm/job_7/step_0", "slurm/job_7/step_0", "slurm/job_7", "memory.max", "memory.current"),
        (
            "4:cpu,memory:/slurm/job_7/step_0",
            "memory/slurm/job_7/step_0",
            "memory/slurm/job_7",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
)
def test_limits_are_those_of_our_own_group_and_of_all_above_it(
    line: str, own: str, above: str, limit: str, usage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, most, split in ((own, 10**18, 500), (above, 1000, 700)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / limit).write_text(f"{most}\n")
        (tmp_path / folder / usage).write_text(f"{split}\n")
    (tmp_path / "own").write_text(f"1:name=systemd:/elsewhere\n{line}\n")
    monkeypatch.setattr(host_memory, "CGROUP", tmp_path)
    monkeypatch.setattr(host_memory, "OWN_GROUPS", tmp_path / "own")
    assert host_memory.free_bytes() == 300
    (tmp_path / above / limit).write_text("800\n")
    assert host_memory.free_bytes() == 100
    (tmp_path / own / limit).write_text("550\n")
    assert host_memory.free_bytes() == 50


def test_running_out_is_told_from_other_errors() -> None:
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert ran_out(MemoryError())
    assert not ran_out(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out(caught.value)
