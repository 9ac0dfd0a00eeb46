"""The benchmark cells: what it reads about known cells, what it counts, and a whole job on a real workflow."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import spearmanr

from tests.benchmark.test_benchmark import context
from tests.support.nwb_builders import tiny, without_behaviour
from xcebra_nwb.benchmark import cells, cells_figure
from xcebra_nwb.benchmark.cells import Measure, known_cells, scores
from xcebra_nwb.benchmark.marginal_tuning import MarginalTuning, marginal_tuning, shifted_variance
from xcebra_nwb.benchmark.metrics import auroc
from xcebra_nwb.benchmark.table import rivals, summary
from xcebra_nwb.commands.simulate import simulate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.report import style

TUNED = np.array([True] * 6 + [False] * 4)
TUNING = MarginalTuning(strength=np.linspace(1, 0, 10), p_value=np.where(TUNED, 0.0002, 0.5))


def test_a_table_of_known_cells_without_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    assert known_cells(tmp_path / "cells.tsv").empty
    (tmp_path / "cells.tsv").write_text("file\tlabel\tcolumn\na.nwb\tposition\tcell_type\n")
    with pytest.raises(UsageError, match=r"cells\.tsv: no column carriers"):
        known_cells(tmp_path / "cells.tsv")


def test_what_the_table_names_and_is_not_there_is_said(tmp_path: Path) -> None:
    recording = tiny(tmp_path / "sub-a_ses-1.nwb")
    row = "sub-a_ses-1.nwb\t{label}\t{column}\tplace\n"
    header = "file\tlabel\tcolumn\tcarriers\n"
    (tmp_path / "cells.tsv").write_text(header + "other.nwb\tposition\tcell_type\tplace\n")
    with pytest.raises(UsageError, match=r"no file other\.nwb"):
        cells.cases("quick", recording)
    session = xr.Dataset({"row": ("unit", np.arange(6))})
    known = pd.DataFrame([{"label": "position", "column": "cell_type", "carriers": "place"}])
    with pytest.raises(UsageError, match="no column cell_type of one value each"):
        cells._known_carriers(recording, known, session)
    (tmp_path / "cells.tsv").write_text(header + row.format(label="posiition", column="id"))
    (tmp_path / "job").mkdir()
    with pytest.raises(UsageError, match="no label posiition"):
        cells.cases("quick", recording)[0].work(context(tmp_path / "job"))


def test_names_of_files_that_would_be_one_job_are_refused(tmp_path: Path) -> None:
    for name in ("a+b.nwb", "a-b.nwb"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="differ only in signs"):
        cells.cases("quick", tmp_path)


def test_a_folder_without_recordings_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no NWB file"):
        cells.cases("quick", tmp_path)


def test_power_and_false_finds_are_counted_of_the_units_that_they_are_about() -> None:
    truth = np.array([True] * 5 + [False] * 5)
    found = np.array([True] * 4 + [False] * 5 + [True])
    score = scores(Measure(np.linspace(1, 0, 10), found), TUNING, truth)
    assert (score["tuned"], score["units"]) == (6, 10)
    assert score["found"] == pytest.approx(0.5)
    assert score["classical_power"] == pytest.approx(4 / 6)
    assert score["power"] == pytest.approx(0.8)
    assert score["false"] == pytest.approx(0.2)
    assert score["auroc"] == score["classical_auroc"] == 1
    assert score["classical_rank"] == pytest.approx(1)
    for name in ("found", "power", "false", "classical_power"):
        assert score[f"{name}_low"] < score[name] < score[f"{name}_high"]


def test_a_map_is_ranked_but_finds_nothing_and_unknown_truth_gives_no_power() -> None:
    score = scores(Measure(np.r_[np.linspace(0, 1, 9), np.nan]), TUNING, None)
    assert score["classical_rank"] == pytest.approx(-1)
    assert score["classical_auroc"] == 0
    assert not {"found", "power", "false", "auroc", "classical_power"} & set(score)


def test_ranks_give_the_scores_of_the_usual_libraries() -> None:
    generator = np.random.default_rng(0)
    values, against = generator.integers(0, 5, 30).astype(float), generator.integers(0, 4, 30)
    assert float(cells._rank_correlation(values, against)) == pytest.approx(spearmanr(values, against).statistic)
    assert float(cells._auroc(values, against > 1)) == pytest.approx(auroc(values, against > 1))
    assert np.isnan(cells._auroc(values, np.ones(30, dtype=bool)))
    assert np.isnan(cells._rank_correlation(values, np.ones(30)))


def test_the_share_of_variance_between_cells_is_that_of_each_shift() -> None:
    generator = np.random.default_rng(0)
    cell, activity = generator.integers(0, 4, 60), generator.standard_normal((60, 3))
    found = shifted_variance(cell, activity, np.array([0, 7]))
    for row, moved in zip(found, (cell, np.roll(cell, 7)), strict=True):
        means = np.stack([activity[moved == number].mean(axis=0) for number in range(4)])
        expected = means[moved].var(axis=0) / activity.var(axis=0)
        np.testing.assert_allclose(row, expected, atol=1e-8)


@pytest.mark.slow
@pytest.mark.thorough
def test_a_job_finds_the_known_cells_of_a_simulated_recording(tmp_path: Path) -> None:
    """With its own labels the recording's place and grid cells carry the position; with moved labels no unit does."""
    recording = simulate(tmp_path / "sub-a_ses-1.nwb", seed=0, duration=300, cells=4)
    (tmp_path / "cells.tsv").write_text(
        "file\tlabel\tcolumn\tcarriers\nsub-a_ses-1.nwb\tposition\tcell_type\tplace, grid\n"
    )
    true, shifted = cells.cases("quick", recording)
    rows = []
    for number, job in enumerate((true, shifted)):
        (tmp_path / str(number)).mkdir()
        rows += [job.columns | row for row in job.work(context(tmp_path / str(number)))]
    table = pd.DataFrame(rows).set_index(["training", "label", "method"])
    position = table.loc[("true labels", "position", "information")]
    assert position["power"] >= 0.8
    assert position["false"] <= 0.1
    assert position["auroc"] > 0.9
    assert table.loc["shifted labels"].xs("information", level="method")["found"].max() == 0
    assert table.loc["true labels"].xs("head_direction", level="label")["power"].isna().all()
    assert set(table["verdict"]) <= set(style.VERDICTS)
    methods = set(table.index.get_level_values("method"))
    assert methods == {
        "information",
        "share (z of inverted_neuron_gradient)",
        "inverted_neuron_gradient",
        "neuron_gradient",
    }
    means = summary(table.reset_index())
    assert len(cells_figure.draw(means).axes) == len(cells_figure.PANELS)
    compared = rivals(table.reset_index(), cells.BEST, cells.COMPARED)
    assert set(compared["method"]) == methods


def test_a_recording_that_is_refused_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    job = cells.cases("quick", without_behaviour(tmp_path / "sub-b_ses-1.nwb"))[0]
    (row,) = job.work(context(tmp_path))
    assert row == {"label": "none", "method": "none", "verdict": "refused", "note": "no-label"}


@pytest.mark.slow
def test_tuning_to_known_cells_is_found_and_the_type_is_read_from_numbers_too(tmp_path: Path) -> None:
    recording = simulate(tmp_path / "sub-a_ses-1.nwb", seed=1, duration=240, cells=4)
    with h5py.File(recording, "a") as file:
        types = np.array([text.decode() if isinstance(text, bytes) else text for text in file["units/cell_type"][()]])
        file["units/tuned"] = np.where(np.isin(types, ["place", "grid"]), 1.0, 0.0)
    folder = tmp_path / "out"
    folder.mkdir()
    context(folder).commands.extract(recording, folder, cells.schema.validate({}), "a")
    session = cells.load(folder / "session.nc")
    known = pd.DataFrame([{"file": recording.name, "label": "position", "column": "tuned", "carriers": "1"}])
    truth = cells._known_carriers(recording, known, session)
    assert truth is not None
    assert truth.tolist() == np.isin(types, ["place", "grid"])[session["row"].values].tolist()
    tuning = marginal_tuning(session, np.random.default_rng(0), shifts=500)
    assert (tuning["position"].p_value[truth] <= 0.01).mean() >= 0.9
    assert (tuning["position"].p_value[~truth] <= 0.01).mean() <= 0.25
