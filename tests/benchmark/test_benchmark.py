"""Benchmarks: the check that comes first, the tables, and the quick form from the command line to the figure."""

import os
import re
import subprocess
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.support.paths import COMMAND
from xcebra_nwb.attribution.comparison import map_agreement
from xcebra_nwb.benchmark import agreement, cebra_peer, demo, perfect, solve, synthetic, violations
from xcebra_nwb.benchmark.case import HYBRID, PEER, SIZES, Commands, JobContext
from xcebra_nwb.benchmark.catalogue import BENCHMARKS, cases
from xcebra_nwb.benchmark.table import interval, render, rivals, summary
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.simulate import simulate
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import session
from xcebra_nwb.core.config.schema import Method
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.report import style
from xcebra_nwb.training.design.split import trainable_split
from xcebra_nwb.xcebra.maps import chunk

pytestmark = pytest.mark.slow


def test_a_known_perfect_encoder_scores_perfectly() -> None:
    for score in perfect.scores():
        assert min(score["row_auroc"], score["label_auroc"], score["pooled_auroc"]) >= 0.995


def test_nothing_is_measured_with_a_broken_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    def transposed(gram: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
        return torch.eye(gram.shape[-1]).to(gram).expand_as(gram), torch.ones_like(gram[..., 0])

    monkeypatch.setattr(chunk, "pseudo_inverse", transposed)
    with pytest.raises(Failure, match="known-perfect encoder"):
        perfect.scores()


def test_the_interval_of_a_mean_holds_it_and_shrinks_with_the_square_root_of_the_count() -> None:
    values = np.random.default_rng(0).standard_normal(400)
    mean, low, high = interval(values)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert interval(np.full(5, 0.5)) == (0.5, 0.5, 0.5)
    assert np.isnan(interval(np.array([0.3, np.nan]))[1])


def test_of_a_single_dataset_the_interval_is_that_of_its_own_job() -> None:
    row = {"setting": "halves", "training": "hybrid", "regularizer": 0.1, "label": "position", "method": "inverse"}
    table = summary(pd.DataFrame([row | {"agreement": 0.5, "agreement_low": 0.4, "agreement_high": 0.6}]))
    assert table.loc[0, ["agreement", "agreement_low", "agreement_high"]].tolist() == [0.5, 0.4, 0.6]


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
    assert len(counts) == 6 * 5 * 2
    assert counts.eq(10).all()


@pytest.mark.parametrize("name", ["synthetic", "ratinabox", "conditions", "ablation"])
@pytest.mark.parametrize("size", SIZES)
def test_every_job_has_a_name_of_its_own_that_can_be_a_file(name: str, size: str) -> None:
    jobs = list(BENCHMARKS[name].cases(size, Path()))
    names = [job.name for job in jobs]
    assert names[0] == "perfect"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w.-]+", job) for job in names)


def test_a_file_is_asked_for_where_one_is_needed_and_only_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        cases("file", "quick")
    with pytest.raises(UsageError, match="reads no file"):
        cases("synthetic", "quick", tmp_path / "a.nwb")
    with pytest.raises(UsageError, match="no such file"):
        cases("file", "quick", tmp_path / "a.nwb")


@pytest.mark.parametrize("condition", violations.VIOLATIONS, ids=lambda c: c.name)
def test_every_broken_condition_is_a_session_that_can_be_trained_on(condition: violations.Violation) -> None:
    task = violations.task(violations.DESIGNS["quick"], condition, dataset=0)
    session.check(task.session)
    trainable_split(task.session, task.config)
    assert set(task.carries) == set(session.labels(task.session))
    assert {len(truth) for truth in task.carries.values()} == {task.session.sizes["unit"]}


@pytest.mark.parametrize("training", [HYBRID, *synthetic.OTHERS, PEER])
def test_every_training_of_the_paper_is_a_config(training: str) -> None:
    task = synthetic.task(synthetic.DESIGNS["quick"], 5, 0, training, 0.1)
    blocks = {o.label: o.outputs for o in task.config.objectives if not isinstance(o, str)}
    assert blocks[synthetic.LABEL] == ((3, 5) if None in blocks else (0, 2))
    assert task.carries[synthetic.LABEL].sum() == 25


def test_a_demo_file_is_read_and_anything_else_is_refused_in_one_line(tmp_path: Path) -> None:
    generator, truth = np.random.default_rng(0), np.ones((4, 10), dtype=bool)
    truth[2:, :5] = False
    arrays = {"neurons": generator.random((50, 10)), "latents": generator.random((50, 4)), "gt_attribution_map": truth}
    np.savez(tmp_path / "good.npz", **arrays)
    task = demo.task(demo.DESIGNS["quick"], demo.read(tmp_path / "good.npz"), 0, HYBRID, 0.1)
    assert task.config.objectives[1].outputs == (2, 4)
    assert task.carries[demo.LABEL].tolist() == [False] * 5 + [True] * 5
    np.savez(tmp_path / "upside_down.npz", **(arrays | {"gt_attribution_map": truth[::-1]}))
    (tmp_path / "text.npz").write_text("nothing")
    np.savez(tmp_path / "pickled.npz", **(arrays | {"neurons": np.array([{}], dtype=object)}))
    for name in ("upside_down", "text", "pickled"):
        with pytest.raises(UsageError, match=name):
            demo.read(tmp_path / f"{name}.npz")


def test_the_peer_says_when_it_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cebra_peer, "NEEDED", ("no_such_package",))
    task = synthetic.task(synthetic.DESIGNS["quick"], 4, 0, PEER, 0.1)
    rows = cebra_peer.peer_scores(context(tmp_path), task)
    assert {row["note"] for row in rows} == {cebra_peer.MISSING}
    assert {row["method"] for row in rows} == {"inverted_neuron_gradient", "neuron_gradient"}


@pytest.mark.filterwarnings("ignore")  # its own
def test_the_peer_is_scored_like_ours_where_it_is_installed(tmp_path: Path) -> None:
    for package in cebra_peer.NEEDED:
        pytest.importorskip(package, reason="CEBRA comes with the extra bench, which is not installed")
    task = synthetic.task(synthetic.DESIGNS["quick"], 4, 0, PEER, 0.1)
    for row in cebra_peer.peer_scores(context(tmp_path), task):
        assert 0.5 < row["row_auroc"] <= 1
        assert row["r2"] > 0.9
        assert 0 <= row["saturated"] < 1


def test_a_condition_gets_a_score_and_the_verdict_of_the_product(tmp_path: Path) -> None:
    task = violations.task(violations.DESIGNS["quick"], violations.VIOLATIONS[0], dataset=0)
    rows = solve.judged(context(tmp_path), task)
    assert {row["method"] for row in rows} == {"inverted_neuron_gradient", "neuron_gradient"}
    for row in rows:
        assert row["verdict"] in style.VERDICTS
        assert 0.5 < row["row_auroc"] <= 1
        assert row["decoding"] > 0.5


def context(folder: Path) -> JobContext:
    return JobContext(Commands(simulate, extract, train, attribute, assess), folder)


def test_many_agreements_at_once_are_those_of_one_at_a_time() -> None:
    maps = np.random.default_rng(0).integers(0, 9, (4, 5, 12)).astype(float)  # with ties
    at_once = agreement.mean_spearman(*maps)
    np.testing.assert_allclose(at_once, [map_agreement(maps[:, draw]) for draw in range(5)])


def test_maps_that_share_units_agree_and_maps_of_nothing_do_not() -> None:
    generator = np.random.default_rng(0)
    usual = generator.gamma(4, size=40)  # what every map shows of a unit, whatever the label
    carried = np.linspace(1, 3, 40)

    def maps(count: int, true: bool) -> np.ndarray:
        return usual * (carried if true else 1.0) * generator.lognormal(0, 0.1, (count, 40))

    found = agreement.seeds_agreement(maps(4, True), maps(10, False))
    nothing = agreement.seeds_agreement(maps(4, False), maps(10, False))
    assert found["agreement_low"] < found["agreement"] < found["agreement_high"]
    assert found["agreement"] > 0.6 > nothing["agreement"] + 0.2
    assert nothing["raw_agreement"] > 0.9  # as high as that of the truth: no evidence
    halves = agreement.halves_agreement((maps(4, True), maps(4, True)), (maps(8, False), maps(8, False)))
    assert halves["agreement"] > 0.4 > abs(halves["null_agreement"]) + 0.2


@pytest.mark.thorough
def test_the_quick_form_runs_from_the_command_line_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """A run whose last steps are missing does only those; the printed table is the one in the folder."""
    first = run(tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == (tmp_path / "table.md").read_text()
    table = pd.read_csv(tmp_path / "table.csv")
    trained = table[table["training"] == "hybrid"]
    assert set(trained["method"]) == set(get_args(Method))
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
