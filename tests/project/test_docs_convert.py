"""The pages on conversion work: each ends in a file with which ``inspect`` is content.

NeuroConv and SpikeInterface are packages of the extra ``docs``, which ``make test-thorough`` installs.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.paths import DOCS
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory

END = 120.0  # s
RATE = 30_000.0  # Hz
UNITS = 6


def blocks(page: str) -> str:
    """Return the Python of a page as one program."""
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```$", (DOCS / "how-to" / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )


def run(page: str) -> Path:
    """Run a page in the working folder, and return the file that its command inspects."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # those of other packages about each other
        exec(compile(blocks(page), page, "exec"), {"__name__": "page"})
    (name,) = re.findall(r"^xcebra-nwb inspect (.*)$", (DOCS / "how-to" / page).read_text("utf-8"), re.MULTILINE)
    return Path(name)


def content(path: Path, labels: list[str], units: int) -> None:
    """``inspect`` suspects nothing, takes the neurons and the labels, and uses nearly all bins."""
    found = inventory(path)
    assert found.suspicious == []
    assert [(one.path, one.units) for one in found.neural if one.taken_by_auto] == [("/units", units)]
    session = extract_session(path, validate({}), "one")
    assert sorted(name for name in session if session[name].attrs.get("role") == "label") == sorted(labels)
    assert session["valid"].values.mean() > 0.99


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """A walk, a direction, trials and spikes of two minutes, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    times = np.arange(0, END, 1 / 30)
    walk = np.cumsum(rng.normal(size=(len(times), 2)), axis=0)
    turns = np.cumsum(rng.normal(size=len(times))) * 0.2
    table = {"time": times, "x": np.interp(walk[:, 0], [walk[:, 0].min(), walk[:, 0].max()], [0, 100])}
    table |= {"y": np.interp(walk[:, 1], [walk[:, 1].min(), walk[:, 1].max()], [0, 100])}
    table["head_direction"] = turns % (2 * np.pi)
    pd.DataFrame(table).to_csv("tracking.csv", index=False)
    starts = np.arange(5, 115, 10.0)
    trials = {"start_time": starts, "stop_time": starts + 5, "choice": rng.choice(["left", "right"], len(starts))}
    pd.DataFrame(trials).to_csv("trials.csv", index=False)
    spikes = np.sort(rng.uniform(0, END, UNITS * 400))
    return {**table, "starts": starts, "spikes": spikes, "clusters": rng.permutation(np.repeat(np.arange(UNITS), 400))}


@pytest.mark.thorough
def test_the_page_on_pynapple_ends_in_a_good_file(recording: dict[str, np.ndarray]) -> None:
    """Three seconds, for the import of pynapple."""
    import pynapple as nap

    trains = {unit: nap.Ts(recording["spikes"][recording["clusters"] == unit]) for unit in range(UNITS)}
    observed = nap.IntervalSet(0, END)
    nap.TsGroup(trains, time_support=observed, metadata={"location": ["CA1"] * UNITS}).save("spikes.npz")
    walk = np.stack([recording["x"], recording["y"]], axis=1)
    nap.TsdFrame(t=recording["time"], d=walk, columns=["x", "y"]).save("position.npz")
    nap.Tsd(t=recording["time"], d=recording["head_direction"]).save("head_direction.npz")
    nap.IntervalSet(recording["starts"], recording["starts"] + 5).save("trials.npz")
    content(run("from-pynapple.md"), ["position", "head_direction"], UNITS)


@pytest.mark.thorough
def test_the_page_on_neuroconv_ends_in_a_good_file(recording: dict[str, np.ndarray]) -> None:
    """Ten seconds, for the import of NeuroConv."""
    folder = Path("phy")
    folder.mkdir()
    np.save(folder / "spike_times.npy", (recording["spikes"] * RATE).astype(np.int64))
    np.save(folder / "spike_clusters.npy", recording["clusters"].astype(np.int32))
    np.save(folder / "spike_templates.npy", recording["clusters"].astype(np.int32))
    (folder / "params.py").write_text(
        f"dat_path = 'x.dat'\nn_channels_dat = 4\ndtype = 'int16'\nsample_rate = {RATE}\n"
    )
    groups = [f"{unit}\t{'noise' if unit == 5 else 'good'}\n" for unit in range(UNITS)]
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n" + "".join(groups))
    path = run("from-neuroconv.md")
    content(path, ["position", "head_direction"], UNITS - 1)
    good = validate({"neural": {"where": "quality == 'good'"}, "time": {"within": [0, 60]}})
    assert extract_session(path, good, "one").sizes["unit"] == UNITS - 1


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:The extractor is not serializable")
def test_the_page_on_spikeinterface_ends_in_a_good_file(recording: dict[str, np.ndarray]) -> None:
    """Five seconds, for the import of SpikeInterface."""
    from spikeinterface.core import NumpySorting

    samples = (recording["spikes"] * RATE).astype(np.int64)
    sorting = NumpySorting.from_samples_and_labels([samples], [recording["clusters"]], RATE)
    sorting.set_property("brain_area", ["CA1"] * UNITS)
    sorting.set_property("snr", np.arange(UNITS) + 2.5)
    sorting.save(folder="sorting")
    path = run("from-spikeinterface.md")
    content(path, ["position"], UNITS)
    good = extract_session(path, validate({"neural": {"where": "snr > 4"}}), "one")
    assert good.sizes["unit"] == 4
