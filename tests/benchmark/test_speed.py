"""The speed benchmark: that it measures what it says. Nothing here asserts a time."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from xcebra_nwb.benchmark import cebra_peer
from xcebra_nwb.benchmark.speed import ours, run, stopwatch
from xcebra_nwb.benchmark.speed import work as speed_work
from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.commands.benchmark import benchmark
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.xcebra.maps.pieces import one_thread

pytestmark = pytest.mark.slow


def added_product(_: Sequence[int], left: Sequence[int], right: Sequence[int], **options: object) -> int:
    """Operations of a batched product that is added in place; torch counts only the form that makes a new tensor."""
    return 2 * math.prod(left) * right[-1]


SMALL = Work(bins=600, units=7, batch=64, hidden=16)


def test_contestants_take_turns() -> None:
    turns: list[str] = []

    def contestant(name: str) -> int:
        turns.append(name)
        return 3

    found = stopwatch.in_turn({name: lambda name=name: contestant(name) for name in ("ours", "theirs")}, rounds=3)
    assert turns == ["ours", "theirs"] * 3
    assert found["theirs"].wall.shape == found["ours"].processor.shape == (3,)


def test_a_block_does_what_it_says_within_its_bounds() -> None:
    done: list[int] = []
    assert stopwatch.block(done.append, seconds=1e9, least=2, most=5)() == 5 * stopwatch.MOST_TIMES
    assert stopwatch.block(done.append, seconds=0.0, least=2, most=5)() == 2
    assert done == [2, 2, 5, *[5] * stopwatch.MOST_TIMES, 2, 2, 2, 2]


def test_the_spread_of_ratios_is_their_quartiles() -> None:
    assert stopwatch.quartiles(np.array([1.0, 2, 3, 4, 5])) == (2, 3, 4)


@pytest.mark.parametrize("size", ["quick", "reduced", "full"])
def test_every_work_can_be_told_from_the_others_and_is_a_config(size: str) -> None:
    found = speed_work.works(size)
    assert len(set(found)) == len(found)
    assert {work.kind for work in found} == {"training", "attribution"}


@pytest.mark.parametrize("work", [SMALL, replace(SMALL, kind="attribution")], ids=lambda work: work.kind)
def test_the_least_that_has_to_be_computed_is_what_an_mlp_multiplies(work: Work) -> None:
    """Counted by torch, which finds a little less: nothing goes back to the random directions of the penalty."""
    done = ours.ours(work)
    counts = []
    for amount in (16, 32):
        with (
            one_thread(),
            FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: added_product}) as counter,
        ):
            done(amount)
        counts.append(counter.get_total_flops())
    floor = ours.least(work)
    assert floor is not None
    assert (counts[1] - counts[0]) / 16 == pytest.approx(floor[0], rel=0.15)


def test_the_command_leaves_tables_and_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = [SMALL, replace(SMALL, kind="attribution", architecture="conv10", peer=False)]
    monkeypatch.setattr(run, "works", lambda size, device: works)
    monkeypatch.setattr(cebra_peer, "NEEDED", ("no_such_package",))
    threads = torch.get_num_threads()
    assert benchmark("speed", "quick", tmp_path, threads) == 0
    rows, methods = pd.read_csv(tmp_path / "speed.csv"), pd.read_csv(tmp_path / "methods.csv")
    assert rows["bins"].tolist() == [600, 600]
    assert (rows["rate"] > 0).all()
    assert (rows["memory"] > 0).all()
    assert methods["row_auroc"].between(0, 1).all()
    page = (tmp_path / "table.md").read_text()
    assert cebra_peer.MISSING in page
    assert "Measured by `--quick`" in page
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore")  # its own
@pytest.mark.parametrize("work", [SMALL, replace(SMALL, kind="attribution")], ids=lambda work: work.kind)
def test_where_the_peer_is_installed_it_does_the_same_work(work: Work) -> None:
    for package in cebra_peer.NEEDED:
        pytest.importorskip(package, reason="CEBRA comes with the extra bench, which is not installed")
    row = run.measured(work, run.SIZES["quick"], stopwatch.ceiling(), stopwatch.CPU)
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert row["peer_rate"] > 0


def test_an_unknown_device_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="device 'gpu': no such kind of device"):
        benchmark("speed", "quick", tmp_path, 1, device="gpu")


def test_it_reads_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reads no file"):
        benchmark("speed", "quick", tmp_path, 1, tmp_path / "a.nwb")
