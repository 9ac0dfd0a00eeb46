"""``auto`` takes from the layouts of well-known dandisets what the experiment is about, and the page says it."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import h5py
import pytest

from tests.support.layouts.all import BY_NAME, LAYOUTS, WELL_KNOWN
from tests.support.layouts.model import Layout, Role, judge
from tests.support.layouts.page import HEAD, PAGE, row, rows_of
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.inventory.models import Automatic, PickedLabel


def taken_from(layout: Layout, folder: Path) -> Automatic:
    path = folder / f"{layout.name}.nwb"
    layout.build(path)
    return inventory(path).automatic


def not_there(layout: Layout, path: Path) -> list[str]:
    """Return the paths of a layout that its file does not hold: a slip of the pen, not a wrong choice."""
    there: list[str] = []
    with h5py.File(path) as h5:
        h5.visit(lambda name: there.append(f"/{name}"))
    return [p for p in layout.paths() if not fnmatch.filter(there, p.replace("#", "/"))]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_auto_takes_what_the_experiment_is_about(layout: Layout, tmp_path: Path) -> None:
    automatic = taken_from(layout, tmp_path)
    assert not_there(layout, tmp_path / f"{layout.name}.nwb") == []
    verdict = judge(layout, automatic)
    assert not verdict.faults, "\n".join(["taken:", *verdict.taken, "wrong:", *verdict.faults])
    if layout.dandiset:
        remedy = "run python -m tests.support.layouts"
        assert row(layout, automatic) in rows_of(PAGE.read_text(encoding="utf-8")), remedy


def test_the_page_has_a_row_for_each_well_known_layout_and_no_other_text() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = rows_of(text)
    assert text == HEAD + "".join(f"{line}\n" for line in rows), "run python -m tests.support.layouts"
    named = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in rows]
    assert named == [(layout.dandiset, layout.about) for layout in WELL_KNOWN]


def test_the_position_has_one_name_over_the_sessions_of_a_dandiset(tmp_path: Path) -> None:
    names = []
    for session in ("one_led", "two_leds"):
        labels = taken_from(BY_NAME[session], tmp_path).labels
        names.append({label.name for label in labels if label.kind == "continuous"})
    assert names[0] == names[1]


# The judge itself


def picked(*labels: tuple[str, str, str]) -> Automatic:
    found = [
        PickedLabel.model_validate({"name": n, "source": s, "kind": k, "config": {"source": s}}) for n, s, k in labels
    ]
    return Automatic(neural=["/units"], labels=found)


POSITION = Role("position", ("/p/led1", "/p/led2"))
DIRECTION = Role("direction", (("/p/led1", "/p/led2"),), ("circular",))
LEDS = Layout("leds", lambda path: None, wanted=(POSITION, DIRECTION))


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ([("position", "/p/led1", "continuous"), ("direction", "/p/led1, /p/led2", "circular")], ""),
        ([("position", "/p/led1", "continuous"), ("direction", "/p/led1 and /p/led2", "circular")], ""),
        ([("position", "/p/led1", "continuous"), ("direction", "/p/led1, /p/led20", "circular")], "no direction"),
        ([("position", "/p/led1", "continuous")], "no direction"),
        ([("position", "/p/led1", "discrete"), ("direction", "/p/led1, /p/led2", "circular")], "no position"),
        (
            [("a", "/p/led1", "continuous"), ("b", "/p/led2", "continuous"), ("c", "/p/led1, /p/led2", "circular")],
            "2 labels for position",
        ),
        (
            [
                ("a", "/p/led1", "continuous"),
                ("c", "/p/led1, /p/led2", "circular"),
                ("split", "/intervals/trials#split", "discrete"),
            ],
            "not wanted",
        ),
    ],
)
def test_the_judge_knows_right_from_wrong(labels: list[tuple[str, str, str]], fault: str) -> None:
    faults = judge(LEDS, picked(*labels)).faults
    assert bool(faults) == bool(fault)
    assert fault in "; ".join(faults)


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("/intervals/*_presentations", True),
        ("/intervals/*_presentations#stimulus_name", False),
        ("/intervals/a_presentations, /intervals/b_presentations", True),
        ("/intervals/a_presentations", False),
    ],
)
def test_one_label_of_several_tables_is_known_by_all_of_them(source: str, right: bool) -> None:
    role = Role("stimulus", (("/intervals/a_presentations", "/intervals/b_presentations"),), ("discrete",))
    label = PickedLabel(name="stimulus", source=source, kind="discrete", config=LabelConfig(source=source))
    assert role.fits(label) is right
