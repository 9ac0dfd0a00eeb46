"""Codes that a tuning curve does not show: which measures find the units, and how many false ones.

``python -m xcebra_nwb.benchmark.codes FOLDER --sessions 5`` writes ``codes.csv``, a row for each kind of code, session,
measure, label and group of units, into the folder, and prints the summary. With ``--attribution`` it trains encoders
instead and writes ``codes_attribution.csv``. Run again, it does what is missing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from xcebra_nwb.attribution.information import information
from xcebra_nwb.attribution.null_test import score_maps, unit_norm
from xcebra_nwb.benchmark.calibration import LEVEL, SETTINGS, trained_maps
from xcebra_nwb.benchmark.marginal_tuning import marginal_p_values
from xcebra_nwb.benchmark.metrics import auroc
from xcebra_nwb.benchmark.simulate.codes import CODES, coded_session
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.files import atomic
from xcebra_nwb.training.design.split import split_session

Floats = NDArray[np.float64]
Measure = Callable[[xr.Dataset, np.random.Generator], Floats]  # p (label, unit) of a session
CODED, SECONDS = 24, 600.0
ARCHITECTURES = ("mlp", "conv10")
HIDDEN = 32  # units of a layer


def information_p_values(session: xr.Dataset, generator: np.random.Generator) -> Floats:
    """Return p of the information of every carried label and unit, (label, unit).

    Args:
        session: the simulated session.
        generator: draws the seed of the shuffled labels.
    """
    config = validate({"random_seed": int(generator.integers(2**31))})
    names = [str(name) for name in session["carried_label"].values]
    told = information(session, split_session(session, config), names, config)
    p_values: Floats = told["information_p"].values
    return p_values


MEASURES: dict[str, Measure] = {"marginal": marginal_p_values, "information": information_p_values}


def session_of(kind: str, number: int) -> xr.Dataset:
    """Return the simulated session of a kind of code; its number is its seed."""
    return coded_session(kind, CODED, SECONDS, np.random.default_rng([number, list(CODES).index(kind)]))


def tested(kind: str, number: int, measure: str) -> pd.DataFrame:
    """Return the rows of a session that is tested with a measure.

    Args:
        kind: of the code.
        number: number of the session.
        measure: name of the measure, in ``MEASURES``.

    Returns:
        A row for each label and group of units: units, whether they carry the label, how many have p <= 0.05 and
        q <= 0.05, auROC of p against the units that do not carry the label, CPU seconds of the session.
    """
    session, start = session_of(kind, number), time.process_time()
    p_value = MEASURES[measure](session, np.random.default_rng(number))
    seconds = time.process_time() - start
    q_value = np.stack([false_discovery_control(row) for row in p_value])
    rows = []
    for row, label, inside in _groups(session):
        small, discovered = (p_value[label] <= LEVEL) & inside, (q_value[label] <= LEVEL) & inside
        row |= {"small_p": small.sum(), "found": discovered.sum(), "seconds": seconds}
        rows.append(row | {"auroc": _auroc(-p_value[label], session, label, inside)})
    return pd.DataFrame(rows).assign(measure=measure, kind=kind, session=number)


def ranked(kind: str, number: int, architecture: str) -> pd.DataFrame:
    """Train encoders on a session and return how well its maps rank the units.

    Args:
        kind: of the code.
        number: number of the session.
        architecture: of the encoder.

    Returns:
        A row for each method, score (map or z), label and group of units that carry the label: auROC against the
        units that do not, and how many have q <= 0.05.
    """
    session = session_of(kind, number)
    encoder = {"hidden": HIDDEN, "architecture": architecture}
    config = validate(SETTINGS | {"encoder": encoder, "random_seed": number})
    rows = []
    for method, trained in trained_maps(session, config).items():
        test = score_maps(*trained)
        for row, label, inside in _groups(session):
            row |= {"method": method, "found": (inside & (test.q_value[label] <= LEVEL)).sum()}
            for score, values in (("map", unit_norm(trained.seeds).mean(axis=0)), ("z", test.z)):
                rows.append(row | {"score": score, "auroc": _auroc(values[label], session, label, inside)})
    return pd.DataFrame(rows).assign(measure=architecture, kind=kind, session=number)


def _groups(session: xr.Dataset) -> Iterator[tuple[dict[str, Any], int, NDArray[np.bool_]]]:
    """The units (unit,) of every label and code that do or do not carry the label."""
    carries, codes = session["carries"].values, session["code"].values
    for number, label in enumerate(session["carried_label"].values):
        for code in dict.fromkeys(codes):
            for carry in (True, False):
                inside = (codes == code) & (carries[number] == carry)
                if inside.any():
                    yield {"label": label, "code": code, "carries": carry, "units": inside.sum()}, number, inside


def _auroc(values: Floats, session: xr.Dataset, label: int, inside: NDArray[np.bool_]) -> float:
    """The auROC of the units ``inside`` (unit,) against all that do not carry the label."""
    carries = session["carries"].values[label]
    compared = inside | ~carries
    return auroc(values[compared], carries[compared])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kind and measure: power, false discoveries and small p.

    Args:
        rows: rows of :func:`tested` of all sessions.

    Returns:
        ``power``: share of the units with the code that are found, over the labels that they carry. ``tuned``: the
        same of the units with ordinary tuning. ``false``: mean false discovery proportion over sessions and labels,
        0 without a discovery. ``false_units``: units found that do not carry the label. ``share_p``: share with p <=
        0.05 among those that do not carry the label. ``seconds``: mean CPU seconds of a session.
    """
    by = ["kind", "measure"]
    rows = rows.assign(false=rows["found"].where(~rows["carries"], 0))
    label = rows.groupby([*by, "session", "label"])[["found", "false"]].sum()
    proportion = label["false"] / label["found"].clip(lower=1)
    ordinary = rows["code"] == "tuned"
    return pd.DataFrame(
        {
            "sessions": rows.groupby(by)["session"].nunique(),
            "power": _share(rows[rows["carries"] & ~ordinary], "found", by),
            "auroc": rows[rows["carries"] & ~ordinary].groupby(by)["auroc"].mean(),
            "tuned": _share(rows[rows["carries"] & ordinary], "found", by),
            "false": proportion.groupby(by).mean(),
            "false_units": rows.groupby(by)["false"].sum(),
            "share_p": _share(rows[~rows["carries"]], "small_p", by),
            "seconds": rows.groupby(by)["seconds"].mean(),
        }
    )


def _share(rows: pd.DataFrame, column: str, by: list[str]) -> pd.Series:
    sums = rows.groupby(by)[[column, "units"]].sum()
    return sums[column] / sums["units"]


def run(
    path: Path, cases: Sequence[tuple[str, int, str]], case: Callable[[str, int, str], pd.DataFrame]
) -> pd.DataFrame:
    """Do the cases that are missing in a table and return its rows.

    The table is written after every case.

    Args:
        path: of the table, a csv file.
        cases: kind, number of the session, and measure of each.
        case: returns the rows of a case.
    """
    rows = pd.read_csv(path) if path.exists() else pd.DataFrame()
    done = set() if rows.empty else set(zip(rows["kind"], rows["session"], rows["measure"], strict=True))
    for wanted in cases:
        if wanted not in done:
            rows = pd.concat([rows, case(*wanted)], ignore_index=True)
            with atomic(path) as temporary:
                rows.to_csv(temporary, index=False)
    return rows


def main() -> None:
    """Run the benchmark of codes from the command line."""
    parser = argparse.ArgumentParser(description="which measures find which codes?")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=list(CODES), default=list(CODES))
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--attribution", nargs="+", choices=ARCHITECTURES, help="train encoders of these architectures")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = arguments.attribution or arguments.measures
    cases = [(kind, n, name) for n in range(arguments.sessions) for kind in arguments.kinds for name in names]
    if arguments.attribution:
        rows = run(arguments.folder / "codes_attribution.csv", cases, ranked)
        by = ["kind", "measure", "method", "score", "label", "code"]
        print(rows[rows["carries"]].groupby(by)[["auroc", "found", "units"]].mean().round(3).to_string())
    else:
        print(summary(run(arguments.folder / "codes.csv", cases, tested)).round(3).to_string())


if __name__ == "__main__":
    main()
