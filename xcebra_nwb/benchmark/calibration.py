"""Calibration of p and q: units of simulated sessions are tested, and those that are found are compared with the truth.

``python -m xcebra_nwb.benchmark.calibration FOLDER --sessions 20`` writes ``calibration.csv``, a row for each session,
measure and label, into the folder, and prints the summary. Run again, it does what is missing. The measures are the
information and, with ``--encoders``, the share in the map of every attribution method.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.information import information
from xcebra_nwb.attribution.inverse_rank import inverse_cut
from xcebra_nwb.attribution.null_test import NullTest, score_maps
from xcebra_nwb.benchmark.null_population import LABELS, SCENARIOS, population
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.core.carriers import LEVEL, carriers
from xcebra_nwb.core.config.schema import Config, validate
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.session import label_values
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.prepare import prepare
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.training.trained_ensemble import options
from xcebra_nwb.xcebra.maps import maps
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.windows import TRAIN
from xcebra_nwb.xcebra.trainers import contrastive

UNITS, SECONDS = 130, 300.0
EVERY = 5  # bins between those that the maps are averaged over
SETTINGS = {
    "encoder": {"hidden": 32},
    "training": {"batch_size": 128, "seeds": 3, "nulls": 8, "device": "cpu"},
}


class TrainedMaps(NamedTuple):
    """Label maps of the seeds (seed, label, unit) and of each label's nulls (null, label, unit)."""

    seeds: NDArray[np.float64]
    nulls: NDArray[np.float64]


def tests(session: xr.Dataset, config: Config) -> dict[str, NullTest]:
    """Train a session and return the test of every method's label maps.

    Args:
        session: the simulated session.
        config: how to train and attribute.
    """
    return {method: score_maps(*trained) for method, trained in trained_maps(session, config).items()}


def trained_maps(session: xr.Dataset, config: Config) -> dict[str, TrainedMaps]:
    """Train a session, and the nulls of every label, and return the label maps of every method.

    Args:
        session: the simulated session.
        config: how to train and attribute.
    """
    prepared, settings = prepare(session, config), options(config)
    inputs, members = torch.as_tensor(encoder_input(session)), prepared.members
    data, generators = prepared.samples(TRAIN), prepared.generators(config)
    layers = contrastive.train(inputs, prepared.shape, prepared.blocks, data, generators, settings).layers
    model = Model(inputs, prepared.shape, layers, prepared.blocks[1:], settings.contrast)
    bins = prepared.split.bins

    def seen(label: str, member: int) -> NDArray:
        return label_values(session, label, bins, members[member].order(label))[::EVERY]

    attributed = maps.attribute(
        model,
        bins[::EVERY],
        inverse_cut(session, model, bins[::EVERY], seen, config.attribution.rank_tolerance),
        config.attribution.methods,
    )
    names = [block.name for block in model.labels]
    return {method: _apart(values, members, names) for method, values in attributed.label.items()}


def _apart(values: NDArray[np.float64], members: list[Member], labels: list[str]) -> TrainedMaps:
    """The label maps (member, label, unit) of seeds and of nulls."""
    seeds = [number for number, member in enumerate(members) if member.null_label is None]
    nulls = [[n for n, m in enumerate(members) if m.null_label and m.null_label.label == label] for label in labels]
    null_maps = [values[numbers, label] for label, numbers in enumerate(nulls)]
    return TrainedMaps(values[seeds], np.stack(null_maps, axis=1))


def counted(found: NDArray[np.bool_], p_value: NDArray[np.float64], carries: NDArray[np.bool_]) -> pd.DataFrame:
    """Return for every label the counts of true and false discoveries.

    Args:
        found: which units are said to carry which label, (label, unit).
        p_value: p of the test, (label, unit).
        carries: which unit carries which label, (label, unit).

    Returns:
        A row for each label: tests of units that carry nothing, how many of them have p <= 0.05, the discoveries, and
        the false ones.
    """
    small = p_value <= LEVEL
    return pd.DataFrame(
        {
            "label": LABELS,
            "null_tests": (~carries).sum(axis=1),
            "small_p": (small & ~carries).sum(axis=1),
            "found": found.sum(axis=1),
            "false": (found & ~carries).sum(axis=1),
            "carriers": carries.sum(axis=1),
        }
    )


def case(scenario: str, number: int, encoders: bool) -> pd.DataFrame:
    """Return the rows of one simulated session, one for each measure and label.

    Args:
        scenario: name of the scenario.
        number: number of the session, its seed.
        encoders: whether to train encoders, and test the shares.
    """
    key = list(SCENARIOS).index(scenario)
    session = population(scenario, UNITS, SECONDS, np.random.default_rng([number, key]))
    carries, config = session["carries"].values, validate(SETTINGS | {"random_seed": number})
    told = information(session, split_session(session, config), LABELS, config)
    found = {"information": (carriers(told).values, told["information_p"].values)}
    if encoders:
        found |= {name: (test.q_value <= LEVEL, test.p_value) for name, test in tests(session, config).items()}
    rows = [counted(*values, carries).assign(method=name) for name, values in found.items()]
    return pd.concat(rows).assign(scenario=scenario, session=number)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each scenario: small p, false discoveries, and power.

    The share of p <= 0.05 is over all tests of a session's units that carry nothing; its mean, least and largest over
    sessions are given. The false discovery proportion is 0 without a discovery. It and power are means over sessions
    and labels.

    Args:
        rows: the rows of :func:`case` of all sessions.
    """
    sessions = rows.groupby(["method", "scenario", "session"])[["small_p", "null_tests"]].sum()
    share = (sessions["small_p"] / sessions["null_tests"]).groupby(["method", "scenario"])
    proportion = rows["false"] / rows["found"].clip(lower=1)
    power = (rows["found"] - rows["false"]) / rows["carriers"].where(rows["carriers"] > 0)
    by_scenario = [rows["method"], rows["scenario"]]
    return pd.DataFrame(
        {
            "sessions": share.size(),
            "null_tests": sessions["null_tests"].groupby(["method", "scenario"]).min(),
            "share_p": share.mean(),
            "least": share.min(),
            "largest": share.max(),
            "false_discoveries": proportion.groupby(by_scenario).mean(),
            "power": power.groupby(by_scenario).mean(),
        }
    )


def run(folder: Path, sessions: Sequence[int], scenarios: Sequence[str], encoders: bool) -> pd.DataFrame:
    """Do the cases that are missing and return the rows of all.

    ``calibration.csv`` is written after every case.

    Args:
        folder: folder of ``calibration.csv``.
        sessions: numbers of the sessions.
        scenarios: names of the scenarios.
        encoders: whether to train encoders, and test the shares.

    Returns:
        A row for each scenario, session, measure and label.
    """
    path = folder / "calibration.csv"
    rows = pd.read_csv(path) if path.exists() else pd.DataFrame()
    done = set() if rows.empty else set(zip(rows["scenario"], rows["session"], strict=True))
    for number in sessions:
        for scenario in scenarios:
            if (scenario, number) not in done:
                rows = pd.concat([rows, case(scenario, number, encoders)], ignore_index=True)
                with atomic(path) as temporary:
                    rows.to_csv(temporary, index=False)
    return rows


def main() -> None:
    """Run the calibration from the command line."""
    parser = argparse.ArgumentParser(description="are p and q what they say?")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first session")
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--encoders", action="store_true", help="also train encoders, and test the shares")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    numbers = range(arguments.first, arguments.first + arguments.sessions)
    print(summary(run(arguments.folder, numbers, arguments.scenarios, arguments.encoders)).round(3).to_string())


if __name__ == "__main__":
    main()
