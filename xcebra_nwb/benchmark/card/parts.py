"""The measurements of a card, each a function of the device and the size that returns rows for one table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import torch

from xcebra_nwb.benchmark.case import PEER
from xcebra_nwb.benchmark.speed import run
from xcebra_nwb.benchmark.speed.ours import ours
from xcebra_nwb.benchmark.speed.stopwatch import ceiling
from xcebra_nwb.benchmark.speed.work import ATTRIBUTION, CONV10, TRAINING, Work
from xcebra_nwb.training.device import device as locked
from xcebra_nwb.training.memory import peak_bytes
from xcebra_nwb.xcebra.out_of_memory import ran_out

GIGABYTE = 1e9
SMALL = Work(bins=2_000, units=10, batch=64, hidden=16, peer=False)


SPEED = (
    TRAINING,
    replace(TRAINING, bins=200_000),
    replace(TRAINING, members=32),
    replace(CONV10, units=50),
    ATTRIBUTION,
    replace(ATTRIBUTION, architecture="conv10"),
)


class Row(NamedTuple):
    """One line of the table."""

    part: str
    what: str
    value: str


class Amount(NamedTuple):
    """How much a part does; the small one shows that the part runs."""

    rounds: int
    seconds: float  # of a block
    long_session: Work
    long_steps: int
    profiled_steps: int
    most_members: int
    stack_steps: int
    shared_steps: int


FULL = Amount(3, 0.5, Work(bins=144_000, units=300, members=12, peer=False), 5_000, 128, 4_096, 128, 5_000)
QUICK = Amount(2, 0.05, replace(SMALL, members=2), 20, 3, 4, 3, 10)


def speed(device: torch.device, amount: Amount, work: Work | None = None) -> list[Row]:
    """Rates of training and attribution, beside CEBRA 0.6.1 in turn where it is installed."""
    top = ceiling(device)
    small = [replace(SMALL, peer=True), replace(SMALL, kind="attribution", peer=True)]
    rows = [Row("speed", "machine", run.machine(device, top))]
    for each in small if amount is QUICK else SPEED:
        measured = run.measured(each, run.Size(amount.rounds, amount.seconds), top, device)
        peer = f", {measured['ratio']:.0f} times {PEER}" if "ratio" in measured else ""
        unit = "member-steps" if each.kind == "training" else "bins"
        memory = f"{measured['memory'] / GIGABYTE:.2f} GB"
        rows.append(
            Row("speed", f"{each.name}, {each.bins:,} bins", f"{measured['rate']:,.0f} {unit}/s{peer}; {memory}")
        )
    return rows


def long_session(device: torch.device, amount: Amount) -> list[Row]:
    """Training and attribution of a session of two hours: 300 units, 50 ms bins, 12 members, the default steps."""
    work = amount.long_session
    train, explain = ours(work, device), ours(replace(work, kind="attribution"), device)
    trained = _seconds(lambda: train(amount.long_steps))
    explained = _seconds(lambda: explain(work.bins - 1_000))
    what = f"{work.bins:,} bins, {work.units} units, {work.members} members"
    return [
        Row("long session", f"training, {what}, {amount.long_steps:,} steps", f"{trained:.1f} s"),
        Row("long session", f"attribution, {what}", f"{explained:.1f} s"),
    ]


def step(device: torch.device, amount: Amount) -> list[Row]:
    """The operations of a plain step that take longest, by torch's profiler."""
    train, kinds = ours(TRAINING if amount is FULL else SMALL, device), [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    train(amount.profiled_steps)
    with torch.profiler.profile(activities=kinds) as profiled:
        train(amount.profiled_steps)
    on_card = device.type == "cuda"
    key = "self_device_time_total" if on_card else "self_cpu_time_total"
    events = sorted(profiled.key_averages(), key=lambda event: -float(getattr(event, key)))
    total = sum(float(getattr(event, key)) for event in events)
    return [
        Row(
            "step",
            event.key,
            f"{100 * float(getattr(event, key)) / total:.0f} % of {total / 1e3:.1f} ms, {event.count}x",
        )
        for event in events[:12]
    ]


def stack(device: torch.device, amount: Amount) -> list[Row]:
    """Members that train together, doubled until the card's memory is full."""
    rows, members = list[Row](), 1
    while members <= amount.most_members:
        work = replace(TRAINING if amount is FULL else SMALL, members=members)
        try:
            train = ours(work, device)
            used = peak_bytes(lambda train=train: train(amount.stack_steps), device)  # type: ignore[misc]
            seconds = _seconds(lambda train=train: train(amount.stack_steps))  # type: ignore[misc]
        except RuntimeError as error:
            if not ran_out(error):
                raise
            return [*rows, Row("stack", f"{members} members", "out of memory, and says so")]
        rate = members * amount.stack_steps / seconds
        rows.append(Row("stack", f"{members} members", f"{rate:,.0f} member-steps/s, {used / GIGABYTE:.2f} GB"))
        members *= 4
    return rows


def shared(device: torch.device, amount: Amount) -> list[Row]:
    """Two trainings at once: the lock lets them take turns, and both end."""
    one = [
        sys.executable,
        "-m",
        "xcebra_nwb.benchmark.card",
        "--turn",
        str(device),
        "--steps",
        str(amount.shared_steps),
    ]
    started = perf_counter()
    subprocess.run(one, check=True)
    alone = perf_counter() - started
    started = perf_counter()
    both = [subprocess.Popen(one) for _ in range(2)]
    codes = [process.wait() for process in both]
    return [
        Row("two processes", "one alone, start included", f"{alone:.1f} s"),
        Row("two processes", "both", f"{perf_counter() - started:.1f} s; exit codes {codes}"),
    ]


def turn(name: str, steps: int) -> None:
    """Train as one of two processes that share a card."""
    with locked(name, torch.get_num_threads()) as device:
        ours(TRAINING if steps > QUICK.shared_steps else SMALL, device)(steps)


PARTS: dict[str, Callable[[torch.device, Amount], list[Row]]] = {
    "speed": speed,
    "long-session": long_session,
    "step": step,
    "stack": stack,
    "two-processes": shared,
}


def _seconds(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
