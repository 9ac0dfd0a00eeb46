"""Labels from interval tables: windows of a row, several tables, rows that overlap, values that stand for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Time, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.inventory.describe import interval_table
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.interval_rows import undisputed
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.stand_ins import number_stand_ins
from xcebra_nwb.nwb.reading.file import NwbFile, open_nwb

TIME: Time = validate({}).time
NAN = np.nan
STARTS = np.arange(0.0, 60, 6)  # ten trials of 4 s, 2 s apart
TRIALS = np.stack([STARTS, STARTS + 4], axis=1)
SIDES = ["left", "right"] * 5
SECONDS = Grid(0.0, 1.0, 60)


def make(file: NwbFile, source: Any, **keys: Any) -> Label:
    return configured_label(file, "it", validate({"labels": {"it": {"source": source, **keys}}}).labels["it"])


def texts(label: Label, grid: Grid = SECONDS) -> list[str]:
    """Return the class of each bin, "" for none."""
    return [label.classes[code] if code >= 0 else "" for code in label.binned(grid, TIME)[0]]


def said(label: Label) -> str:
    return " | ".join(label.notes)


def suspicious_of(file: NwbFile) -> list[str]:
    """Return what inspection says of the trials."""
    return [remark.what for remark in interval_table(file, "/intervals/trials")[1]]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NwbFile]:
    nwb = build.new()
    on, off = STARTS + 1, STARTS + 3
    on[3], off[4] = NAN, 24.0  # a trial without a stimulus, and one whose stimulus stops before it starts
    build.add_intervals(
        nwb,
        "trials",
        TRIALS,
        side=SIDES,
        stim_on=on,
        stim_off=off,
        late=STARTS + 5.5,
        since_start=np.full(10, 0.5),
        reward=np.linspace(0.1, 1.0, 10),
    )
    path = build.save(nwb, tmp_path_factory.mktemp("tables") / "trials.nwb")
    with open_nwb(path) as file:
        yield file


CHOICE = "/intervals/trials#side"


def test_a_window_between_two_columns_of_times_is_that_part_of_the_row(trials: NwbFile) -> None:
    label = make(trials, CHOICE, window=["stim_on", "stim_off"])
    expected = [""] * 60
    for row, side in enumerate(SIDES):
        if row not in (3, 4):
            expected[6 * row + 1 : 6 * row + 3] = [side, side]
    assert texts(label) == expected
    assert "from stim_on to stim_off of each row" in said(label)
    assert "rows left out of 10: 1 that stop before they start, 1 without a start or a stop" in said(label)
    assert label.trials(SECONDS).max() == 7 and np.array_equal(label.trials(SECONDS) >= 0, [bool(e) for e in expected])


def test_a_window_in_seconds_lies_around_a_column_or_the_start(trials: NwbFile) -> None:
    around_start = make(trials, CHOICE, window=[-1, 1])
    assert texts(around_start)[5:8] == ["right", "right", ""] and texts(around_start)[0] == "left"
    late = make(trials, CHOICE, window=[-0.5, 1.5], around="late")  # reaches beyond the row and into the next one
    assert texts(late)[5:7] == ["left", "left"] and texts(late)[11:13] == ["right", "right"]
    assert "-0.5 to 1.5 s around late" in said(late)


def test_windows_that_overlap_have_no_value_there_even_if_they_agree(trials: NwbFile) -> None:
    wide = make(trials, CHOICE, window=[0, 7])
    found = texts(wide)
    assert found[1:6] == ["left"] * 5 and found[6] == "" and found[7:12] == ["right"] * 5
    assert "10 of 10 rows overlap another row; the 9 s" in said(wide)


def test_a_window_limits_what_is_derived_from_the_row(trials: NwbFile) -> None:
    elapsed = make(trials, "/intervals/trials", derive="time_within", window=["stim_on", "stim_off"])
    assert np.allclose(elapsed.binned(SECONDS, TIME)[0][:5, 0], [NAN, 0.5, 1.5, NAN, NAN], equal_nan=True)
    share = make(trials, "/intervals/trials", derive="share_within", window=["stim_on", "stim_off"])
    assert np.allclose(share.binned(SECONDS, TIME)[0][:4, 0], [NAN, 0.25, 0.75, NAN], equal_nan=True)
    inside = make(trials, "/intervals/trials", window=["stim_on", "stim_off"])
    assert texts(inside)[1:8] == ["inside", "inside", *["outside"] * 4, "inside"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"window": [0, 1], "around": "since_start"},
            "since_start is 0.5 to 0.5 s, while the rows .* last from 0 to 58",
        ),
        ({"window": [0, 1], "around": "side"}, "side holds no times"),
        ({"window": ["stim_on", "stim_of"]}, "no /intervals/trials#stim_of in the file"),
        ({"window": ["stim_on", "since_start"]}, "no times of the recording"),
    ],
)
def test_a_window_needs_columns_of_times(trials: NwbFile, keys: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make(trials, CHOICE, **keys)


@pytest.mark.parametrize("none", [-999.0, 0.0, -1.0])
def test_a_time_that_stands_for_none_gives_no_window(tmp_path: Path, none: float) -> None:
    nwb = build.new()
    cue = STARTS + 1
    cue[[1, 4, 7]] = none  # the second row starts so early that 0 s would lie near it
    build.add_intervals(nwb, "trials", TRIALS, side=SIDES, cue=cue)
    with open_nwb(build.save(nwb, tmp_path / "none.nwb")) as file:
        label = make(file, CHOICE, window=[0, 2], around="cue")
        expected = [""] * 60
        for row in {0, 2, 3, 5, 6, 8, 9}:
            expected[6 * row + 1 : 6 * row + 3] = [SIDES[row]] * 2
        assert texts(label) == expected
        assert f"cue is {none:g} s in 3 of 10 rows, far from the row" in said(label)
        since = make(file, "/intervals/trials#cue", derive="time_from")
        assert np.isnan(since.binned(SECONDS, TIME)[0][[7, 25, 43]]).all() and "3 of 10 rows" in said(since)
        assert since.binned(SECONDS, TIME)[0][13] == 0.5


def test_time_from_numbers_that_are_no_times_is_refused(trials: NwbFile) -> None:
    with pytest.raises(UsageError, match="no times of the recording"):
        make(trials, "/intervals/trials#since_start", derive="time_from")


def test_a_window_of_a_series_is_refused(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb", seconds=20.0)
    with open_nwb(path) as file, pytest.raises(UsageError, match="window is for tables of intervals"):
        make(file, "/processing/behavior/Position/position", window=[0, 1])


# Several tables
# --------------


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NwbFile]:
    """Presentations one after another; the film's frames touch; two tables overlap from 38 to 40 s."""
    nwb = build.new()
    gratings = np.stack([np.arange(0.0, 10, 2), np.arange(0.0, 10, 2) + 1], axis=1)
    frames = np.stack([np.arange(12.0, 18, 0.25), np.arange(12.0, 18, 0.25) + 0.25], axis=1)
    static = np.stack([np.arange(20.0, 40, 5), np.arange(20.0, 40, 5) + 5], axis=1)
    turns = [0.0, 90.0, NAN, 180.0, 90.0]
    build.add_intervals(nwb, "drifting_presentations", gratings, orientation=turns, speed=["1", "2", "", "1", "4"])
    build.add_intervals(nwb, "movie_presentations", frames, frame=np.arange(len(frames)))
    build.add_intervals(nwb, "static_presentations", static, orientation=[45.0, 90, 0, 45], speed=[0.0, 0, 0, 0])
    build.add_intervals(nwb, "flash_presentations", [[38, 42], [44, 45]], colour=[1, -1])
    path = build.save(nwb, tmp_path_factory.mktemp("stimuli") / "stimuli.nwb")
    with open_nwb(path) as file:
        yield file


ALL = "/intervals/*_presentations"


def test_several_tables_tell_which_stimulus_is_shown(stimuli: NwbFile) -> None:
    label = make(stimuli, ALL)
    assert (label.kind, label.source) == ("discrete", ALL)
    assert label.classes == ("drifting", "flash", "movie", "static")
    found = texts(label)
    assert found[:3] == ["drifting", "", "drifting"]
    assert found[12:18] == ["movie"] * 6 and found[20:38] == ["static"] * 18
    assert found[38:46] == ["", "", "flash", "flash", "", "", "flash", ""]
    assert "movie (24 rows)" in said(label) and "overlap another row with another value; the 2 s" in said(label)
    assert label.trials(SECONDS) is None


def test_a_list_of_tables_is_the_same_as_a_path_with_a_star(stimuli: NwbFile) -> None:
    names = ("flash", "drifting", "movie", "static")
    listed = make(stimuli, [f"/intervals/{name}_presentations" for name in names])
    assert listed.classes == names and texts(listed) == texts(make(stimuli, ALL))


def test_a_class_is_what_the_star_stands_for_whatever_else_the_session_has(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "a_gratings_presentations", [[0, 5], [6, 9]])
    build.add_intervals(nwb, "b_gratings_presentations", [[10, 15], [16, 19]])
    with open_nwb(build.save(nwb, tmp_path / "two.nwb")) as file:
        assert make(file, ALL).classes == ("a_gratings", "b_gratings")
        listed = make(file, ["/intervals/b_gratings_presentations", "/intervals/a_gratings_presentations"])
        assert listed.classes == ("b", "a")
        with pytest.raises(Refusal, match="a single table fits, /intervals/a_gratings_presentations") as caught:
            make(file, "/intervals/a_*_presentations")
        assert caught.value.code is Code.LABEL_CONSTANT


def test_a_column_is_read_from_every_table_that_has_it(stimuli: NwbFile) -> None:
    label = make(stimuli, f"{ALL}#orientation")
    assert label.kind == "discrete" and label.classes == ("0", "45", "90", "180")
    assert texts(label)[:8] == ["0", "", "90", "", "", "", "180", ""]
    assert texts(label)[20:31:5] == ["45", "90", "0"]
    assert "1 of 5 rows with NaN" in said(label)
    angle = make(stimuli, f"{ALL}#orientation", kind="circular", unit="degrees")
    assert np.allclose(angle.binned(SECONDS, TIME)[0][[2, 21, 26]], np.deg2rad([90, 45, 90]))


def test_texts_that_are_numbers_join_numbers_of_another_table(stimuli: NwbFile) -> None:
    label = make(stimuli, f"{ALL}#speed")
    assert label.classes == ("0", "1", "2", "4") and texts(label)[:9:2] == ["1", "2", "", "1", "4"]


def test_times_are_derived_over_several_tables(stimuli: NwbFile) -> None:
    label = make(stimuli, ALL, derive="time_within")
    found = label.binned(SECONDS, TIME)[0][:, 0]
    assert np.allclose(found[[0, 22, 41]], [0.5, 2.5, 3.5]) and np.isnan(found[[1, 38, 39]]).all()


def test_the_name_of_the_stimulus_is_the_class_where_every_table_has_one(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "a_presentations", [[0, 5], [6, 9]], stimulus_name=["gabors"] * 2)
    build.add_intervals(nwb, "b_presentations", [[10, 15], [16, 19]], stimulus_name=["natural scenes"] * 2)
    with open_nwb(build.save(nwb, tmp_path / "named.nwb")) as file:
        assert make(file, ALL).classes == ("gabors", "natural scenes")


@pytest.mark.parametrize(
    ("source", "keys", "says"),
    [
        (
            ["/intervals/movie_presentations", "/intervals/static_presentations#orientation"],
            {},
            "mixes tables and columns",
        ),
        (["/intervals/movie_presentations", "/processing/behavior"], {}, "which must be tables of intervals"),
        (ALL, {"kind": "continuous"}, "means which table, which is discrete"),
        (ALL, {"derive": "speed"}, "is computed from a series"),
        (f"{ALL}#colours", {}, "no /intervals/\\*_presentations#colours in the file"),
    ],
)
def test_several_sources_that_do_not_fit_are_refused(
    stimuli: NwbFile, source: Any, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        make(stimuli, source, **keys)


# Rows that overlap
# -----------------


def test_rows_overlap_as_counted_bin_by_bin() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        starts = rng.integers(0, 40, 12)
        rows = np.stack([starts, starts + rng.integers(1, 9, 12)], axis=1).astype(float)
        keys = rng.integers(0, 3, 12)
        found = undisputed(rows, keys)
        claims = [{int(k) for (a, b), k in zip(rows, keys, strict=True) if a <= t < b} for t in range(50)]
        held = np.full(50, -1)
        for (start, stop), row in zip(found.intervals.astype(int), found.row, strict=True):
            assert (held[start:stop] == -1).all()
            held[start:stop] = keys[row]
        assert held.tolist() == [next(iter(claim)) if len(claim) == 1 else -1 for claim in claims]
        assert found.seconds == sum(len(claim) > 1 for claim in claims)
        disputed = [any(len(claims[t]) > 1 for t in range(int(a), int(b))) for a, b in rows]
        assert found.disputed == sum(disputed)


def test_bins_in_two_rows_that_differ_have_no_value_and_it_is_said(tmp_path: Path) -> None:
    nwb = build.new()
    rows = [[0, 4], [3, 8], [7, 12], [13, 12], [20, 24]]
    build.add_intervals(nwb, "trials", rows, side=["a", "b", "b", "a", "a"], reward=[0.1, 0.2, 0.3, 0.4, 0.5])
    with open_nwb(build.save(nwb, tmp_path / "overlap.nwb")) as file:
        label = make(file, CHOICE)
        assert "".join(text or "-" for text in texts(label, Grid(0.0, 1.0, 25))) == "aaa-bbbbbbbb--------aaaa-"
        assert "2 of 4 rows overlap another row with another value; the 1 s in which they do" in said(label)
        assert "rows left out of 5: 1 that stop before they start" in said(label)
        elapsed = make(file, "/intervals/trials", derive="time_within").binned(Grid(0.0, 1.0, 13), TIME)[0][:, 0]
        expected = [0.5, 1.5, 2.5, NAN, 1.5, 2.5, 3.5, NAN, 1.5, 2.5, 3.5, 4.5, NAN]
        assert np.allclose(elapsed, expected, equal_nan=True)
        suspicious = suspicious_of(file)
        assert any("3 of 4 rows overlap another row, for 2 s" in text for text in suspicious), suspicious


def test_rows_that_overlap_everywhere_are_refused_with_the_reason(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "trials", [[0, 10], [0, 10], [0, 10]], side=["a", "b", "a"])
    with open_nwb(build.save(nwb, tmp_path / "all.nwb")) as file, pytest.raises(Refusal, match="overlap") as caught:
        make(file, CHOICE)
    assert caught.value.code is Code.LABEL_EMPTY and "3 of 3 rows" in caught.value.message


def test_blocks_that_hide_a_label_are_the_reason_of_its_refusal(tmp_path: Path) -> None:
    nwb = build.new()
    rows = [*TRIALS, [0, 30], [30, 57]]
    build.add_intervals(nwb, "trials", rows, side=[*SIDES, "x", "y"])
    with open_nwb(build.save(nwb, tmp_path / "blocks.nwb")) as file:
        with pytest.raises(Refusal, match="12 of 12 rows overlap another row") as caught:
            make(file, CHOICE, window=[0, 58])
        assert "constant" not in caught.value.message
        assert set(texts(make(file, CHOICE))) == {"", "x", "y", "right"}  # between trials, and after the last block


def test_unsorted_rows_keep_their_values(trials: NwbFile, tmp_path: Path) -> None:
    order = np.random.default_rng(2).permutation(10)
    nwb = build.new()
    build.add_intervals(nwb, "trials", TRIALS[order], side=[SIDES[row] for row in order])
    with open_nwb(build.save(nwb, tmp_path / "unsorted.nwb")) as file:
        assert texts(make(file, CHOICE)) == texts(make(trials, CHOICE))


# Values that stand for nothing
# -----------------------------


@pytest.mark.parametrize(
    ("values", "fills"),
    [
        ([0, 1, -999], [-999]),
        ([-999, 999, 0, 1], [-999, 999]),
        ([-1000, -1000, 0, 5, 6], [-1000]),
        ([1.5, 2.5, 9999.0], [9999]),
        ([1, 2, -(2**31)], [-(2**31)]),
        ([0.5, 1.5, 9.96921e36], [9.96921e36]),
        ([-1, 0, 1], []),
        ([1, 2, 3, 100], []),
        ([-100, -100, 0, 100], []),
        ([-100, -100, 0, 1], []),
        (list(range(100)), []),
        ([0, 1, 1200], []),
    ],
)
def test_numbers_that_stand_for_nothing_are_far_from_all_else(values: list[float], fills: list[float]) -> None:
    held = np.array(values)
    assert held[number_stand_ins(held, in_order=False).rows].tolist() == [v for v in values if v in fills]


@pytest.mark.parametrize(
    ("values", "classes", "reason"),
    [
        (
            ["left", "right ", "nan", "left ", "b'right'"] * 2,
            ("left", "right"),
            "'nan' stands for nothing: 2 of 10 left out",
        ),
        (["laser", "None", "", "laser", "None"] * 2, ("None", "laser"), "'None' is taken as the name of a class"),
        (["left", "right", "", "left", "right"] * 2, ("left", "right"), "2 of 10 rows without a text left out"),
        ([0, 1, -999, 1, 0] * 2, ("0", "1"), "-999 is a fill value, far from all others: 2 of 10 (20 %) left out"),
        ([0.0, 1.0, NAN, 1.0, 0.0] * 2, ("0", "1"), "2 of 10 rows with NaN or an infinite number left out"),
    ],
)
def test_rows_without_a_value_are_left_out_and_counted(
    tmp_path: Path, values: list[Any], classes: tuple[str, ...], reason: str
) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "trials", TRIALS, side=values)
    with open_nwb(build.save(nwb, tmp_path / "missing.nwb")) as file:
        label = make(file, CHOICE)
        assert label.classes == classes and reason in said(label)
        assert texts(label)[12:16] == [""] * 4 and texts(label)[0] in classes
        suspicious = " ".join(suspicious_of(file))
        assert (f"side: {reason}" in suspicious) == ("rows with" not in reason)


def test_an_index_of_none_is_suspicious_and_stays(tmp_path: Path) -> None:
    nwb = build.new()
    index = [-1, 0, 1, 2, -1, 0, 1, 2, 0, 1]
    build.add_intervals(nwb, "trials", TRIALS, image_index=index, number=[-1, 0, 1, 2, 3] * 2, mask=["None"] * 10)
    with open_nwb(build.save(nwb, tmp_path / "index.nwb")) as file:
        suspicious = " ".join(suspicious_of(file))
        assert "image_index: an index of -1 in 2 of 10 rows may stand for none" in suspicious
        assert "number" not in suspicious and "mask" not in suspicious  # all None is an empty column
        assert make(file, "/intervals/trials#image_index").classes == ("-1", "0", "1", "2")


def test_rows_without_a_stop_take_a_window(tmp_path: Path) -> None:
    nwb = build.new()
    rows = np.stack([STARTS, np.full(10, NAN)], axis=1)
    build.add_intervals(nwb, "trials", rows, side=[*SIDES[:-1], "Left"], lag=[0.3] * 10, infinite=[np.inf, *range(9)])
    with open_nwb(build.save(nwb, tmp_path / "open.nwb")) as file:
        with pytest.raises(Refusal, match="no row has a value, a start and a later stop") as caught:
            make(file, CHOICE)
        assert "window: [0, 1]" in caught.value.remedy
        assert texts(make(file, CHOICE, window=[0, 2]))[:3] == ["left", "left", ""]
        with pytest.raises(UsageError, match=r"lag is .* no times of the recording"):
            make(file, CHOICE, window=[0, 2], around="lag")
        assert "1 of 10 rows with NaN or an infinite number left out" in said(
            make(file, "/intervals/trials#infinite", window=[0, 2])
        )
        assert "side: Left and left differ in case only" in suspicious_of(file)
