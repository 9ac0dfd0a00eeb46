"""The device that trains, and a training of a moment that shows how it works there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch

from xcebra_nwb.benchmark.speed.ours import ours
from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.commands.doctor_finding import Finding
from xcebra_nwb.core.errors import Failure, XcebraError
from xcebra_nwb.core.scratch import GIGABYTE
from xcebra_nwb.training.device import device as locked
from xcebra_nwb.training.device import find_device
from xcebra_nwb.training.memory import free_bytes
from xcebra_nwb.xcebra.sampling.device.nearest import kernel_serves

STEPS = {"cpu": 60, "cuda": 2_000}  # on a card, a step is recorded before it is replayed
WARM_UP = 5  # steps, in which libraries load and choose their kernels
AXES = 2  # of a position
PART = "card"


def describe_card(name: str) -> Finding:
    """Return which device trains, and why no card does.

    Args:
        name: ``training.device`` of a config.
    """
    try:
        device = find_device(name)
    except XcebraError as error:
        return Finding(part=PART, state="wrong", text=error.message, remedy=error.remedy)
    if device.type == "cuda":
        with torch.cuda.device(device):
            free, index = free_bytes(device), torch.cuda.current_device()
        text = f"{torch.cuda.get_device_name(index)}, {free / GIGABYTE:.0f} GB free, CUDA {torch.version.cuda}: trains"
        return Finding(part=PART, state="ok", text=text)
    driver, cpu = shutil.which("nvidia-smi"), "the CPU trains"
    if name != "auto" or driver is None:
        return Finding(part=PART, state="ok", text=f"{'none' if name == 'auto' else 'not asked for'}; {cpu}")
    if torch.version.cuda is None:
        text = f"there is a driver ({driver}), but torch {torch.__version__} is built without CUDA: {cpu}"
        return Finding(part=PART, state="note", text=text, remedy="install a build of torch with CUDA, see pytorch.org")
    text = f"there is a driver ({driver}), but torch finds no card: {cpu}"
    return Finding(part=PART, state="note", text=text, remedy="see what `nvidia-smi` says, and CUDA_VISIBLE_DEVICES")


def describe_rate(name: str) -> Finding:
    """Train an encoder of the usual size for a moment and return the steps per second.

    On a card, the finding also says whether steps are recorded, and whether the kernel for near labels works.

    Args:
        name: ``training.device`` of a config.
    """
    part = "training"
    try:
        with locked(name, torch.get_num_threads()) as device, _warnings() as warned:
            steps = STEPS[device.type]
            training = ours(Work(), device)
            training(WARM_UP)
            started = perf_counter()
            training(steps)
            rate = steps / (perf_counter() - started)
            fast = device.type != "cuda" or kernel_serves(AXES, device)
    except XcebraError as error:
        return Finding(part=part, state="wrong", text=error.message, remedy=error.remedy)
    except RuntimeError as error:  # of a card: torch has no narrower class
        failure = Failure(f"a training on {name} failed: {error}", "training.device: cpu")
        return Finding(part=part, state="wrong", text=failure.message, remedy=failure.remedy)
    text = f"{rate:,.0f} steps a second of an encoder of 50 units on {device}"
    if device.type == "cuda":
        how, near = "plain" if warned else "recorded", "the kernel" if fast else "plain operations"
        text += f"; {how} steps, near labels by {near}"
    slower = bool(warned) or not fast
    return Finding(part=part, state="note" if slower else "ok", text="; ".join([text, *warned]))


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Yield the list of warnings that are logged meanwhile."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, logger = Collect(logging.WARNING), logging.getLogger("xcebra_nwb")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
