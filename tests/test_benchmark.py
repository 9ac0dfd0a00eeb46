"""Benchmarks: the check that comes first, the tables, and the quick form from the command line to the figure."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import Tensor

from xcebra_nwb.benchmark import perfect
from xcebra_nwb.benchmark.catalogue import cases
from xcebra_nwb.benchmark.table import interval, render, rivals, summary
from xcebra_nwb.errors import Failure, UsageError
from xcebra_nwb.xcebra import attribution
from xcebra_nwb.xcebra.inverse import pseudo_inverse

COMMAND = Path(sys.executable).parent / "xcebra-nwb"


def test_a_known_perfect_encoder_scores_perfectly() -> None:
    for score in perfect.scores():
        assert min(score["row_auroc"], score["label_auroc"], score["pooled_auroc"]) >= 0.995


def test_nothing_is_measured_with_a_broken_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(jacobian: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
        _, projector, values = pseudo_inverse(jacobian, tolerance)
        return jacobian.mT, projector, values

    monkeypatch.setattr(attribution, "pseudo_inverse", forward)
    with pytest.raises(Failure, match="known-perfect encoder"):
        perfect.scores()


def test_the_interval_of_a_mean_holds_it_and_shrinks_with_the_square_root_of_the_count() -> None:
    values = np.random.default_rng(0).standard_normal(400)
    mean, low, high = interval(values)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert interval(np.full(5, 0.5)) == (0.5, 0.5, 0.5)
    assert np.isnan(interval(np.array([0.3, np.nan]))[1])


def scores() -> pd.DataFrame:
    rows = []
    for dataset in range(3):
        for weight, method, score in (
            (0.1, "inverse", 0.9),
            (0.1, "forward", 0.8),
            (0.0, "inverse", (0.7, 0.9, 1.1)[dataset]),
        ):
            rows.append(
                {
                    "setting": "d = 4",
                    "dataset": dataset,
                    "training": "hybrid",
                    "regularizer": weight,
                    "method": method,
                    "label": "position",
                    "row_auroc": score,
                    "r2": np.nan,
                    "verdict": "weak" if dataset else "supported",
                }
            )
    return pd.DataFrame(rows)


def test_the_summary_has_a_row_for_each_arm_with_means_and_verdicts() -> None:
    table = summary(scores()).set_index(["regularizer", "method"])
    assert len(table) == 3
    assert table.loc[(0.0, "inverse"), "row_auroc"] == pytest.approx(0.9)
    assert table.loc[(0.1, "forward"), "verdict"] == "weak 2, supported 1"
    assert table["datasets"].eq(3).all()
    assert [str(column.header) for column in render(summary(scores())).columns] == [
        "regularizer",
        "method",
        "row auroc",
        "verdict",
    ]


def test_rivals_are_compared_dataset_by_dataset() -> None:
    found = rivals(scores(), {"regularizer": 0.1, "method": "inverse"}, ["row_auroc"])
    by_arm = found.set_index(["regularizer", "method"])
    assert by_arm.loc[(0.1, "forward"), "row_auroc_lower"] == 3
    assert by_arm.loc[(0.0, "inverse"), ["row_auroc_lower", "row_auroc_equal"]].tolist() == [1, 1]


def test_a_benchmark_that_is_not_there_is_said_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean synthetic"):
        cases("sintetic", "quick")


def test_the_paper_schedule_has_every_training_on_ten_datasets_of_four_to_nine_latents() -> None:
    columns = pd.DataFrame([case.columns for case in cases("synthetic", "full").values()]).iloc[1:]
    counts = columns.groupby(["setting", "training", "regularizer"]).size()
    assert len(counts) == 6 * 2 * 2
    assert counts.eq(10).all()


def test_the_quick_form_runs_from_the_command_line_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """A run whose last steps are missing does only those; the printed table is the one in the folder."""
    first = run(tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == (tmp_path / "table.md").read_text()
    table = pd.read_csv(tmp_path / "table.csv")
    trained = table[table["training"] == "hybrid"]
    assert set(trained["method"]) == {"inverted_neuron_gradient", "neuron_gradient"}
    assert trained["row_auroc"].between(0.5, 1).all()
    assert trained["saturated"].eq(0).all()
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    kept = (tmp_path / "cases" / "d4-0-hybrid-0.csv").stat().st_mtime_ns
    (tmp_path / "table.md").unlink()
    assert run(tmp_path).returncode == 0
    assert (tmp_path / "table.md").exists()
    assert (tmp_path / "cases" / "d4-0-hybrid-0.csv").stat().st_mtime_ns == kept


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "benchmark", "synthetic", "--quick", "-o", folder],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
