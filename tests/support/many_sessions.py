"""A made-up results folder of many sessions: what a summary reads of them, and nothing else.

``python -m tests.support.many_sessions FOLDER --sessions 2000 --units 200`` writes it. Shares of units that carry a
label differ between regions and subjects. Every twentieth session is refused, every fiftieth failed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit

from xcebra_nwb.core import session_table
from xcebra_nwb.core.files import write_json
from xcebra_nwb.core.receipts import ORDER, Receipt, save
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.report import atlas_part
from xcebra_nwb.report.atlas_part import SOURCES, AtlasPart

LABELS = ("position", "head_direction", "speed")
REGIONS = ("CA1", "CA3", "MEC", "V1", "PFC", "")
ODDS = np.array(  # (label, region)
    [[0.5, 0.0, -0.5, -2.5, -2.0, -1.5], [-2.0, -2.5, -0.3, -1.5, -3.0, -2.0], [-1.5, -2.0, -1.0, -0.5, -2.5, -2.0]]
)
METHODS = ("inverted_neuron_gradient",)
WORDS = ("supported", "weak", "not encoded", "not identifiable")


def many_sessions(folder: Path, sessions: int = 40, units: int = 20, of_each: int = 4, seed: int = 0) -> Path:
    """Write the folder and return its table of sessions.

    Args:
        folder: to be written.
        sessions: their number.
        units: of each session.
        of_each: sessions of a subject.
        seed: of everything made up.
    """
    rng, rows = np.random.default_rng(seed), []
    subjects = 0.5 * rng.standard_normal(-(-sessions // of_each))
    for number in range(sessions):
        subject = number // of_each
        name = f"sub-{subject + 1:03d}_ses-{number % of_each + 1}"
        row = Session(session=name, include=True, source=f"{name}.nwb", found=f"{units} units, {len(LABELS)} labels")
        rows.append(row)
        directory = folder / name
        if number % 50 == 49:
            save(Receipt(command="extract", session=name, state="done"), directory)
            continue
        if number % 20 == 19:
            _refuse(name, directory)
            continue
        part = _part(rng, f"{subject + 1:03d}", units, subjects[subject])
        _write(directory, name, part, rng)
    session_table.write(rows, folder / "sessions.tsv")
    return folder / "sessions.tsv"


def _refuse(name: str, directory: Path) -> None:
    said = {"code": Code.NO_LABEL, "reason": "no behaviour in the file", "remedy": "name a label"}
    for command in ORDER[1:]:
        done = Receipt(command=command, session=name, state="done")
        save(
            done if command == "report" else Receipt(command=command, session=name, state="refused", **said), directory
        )
    (directory / "report.html").write_text("<title>refused</title>")


def _part(rng: np.random.Generator, subject: str, units: int, beyond: float) -> AtlasPart:
    regions = np.sort(rng.choice(len(REGIONS), min(3, units), replace=False))[rng.integers(0, 3, units)]
    odds = ODDS[:, regions] + beyond + 0.3 * rng.standard_normal((len(LABELS), 1))
    carries = rng.random((len(LABELS), units)) < expit(odds)
    information = np.where(carries, rng.gamma(2, 0.1, carries.shape), rng.normal(-0.01, 0.01, carries.shape))
    q = np.where(carries, rng.uniform(0.001, 0.05, carries.shape), rng.uniform(0.06, 1, carries.shape))
    z = np.where(carries, rng.normal(2, 2, carries.shape), rng.normal(0, 1, carries.shape))
    attribution = rng.lognormal(0, 0.5, (len(METHODS), len(LABELS), units))
    values = {
        "attribution": attribution,
        "attribution_sd": 0.1 * attribution,
        "z": z,
        "p_value": q / 2,
        "q_value": np.clip(q * 2, 0, 1),
        "information": information,
        "information_low": information - 0.05,
        "information_high": information + 0.05,
        "information_p": q / 2,
        "information_q": q,
    }
    names = [str(unit) for unit in range(units)]
    of_units = [REGIONS[region] for region in regions]
    return AtlasPart(subject, [*METHODS], [*LABELS], names, of_units, "bit/spike", 0, values)


def _write(directory: Path, name: str, part: AtlasPart, rng: np.random.Generator) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        (directory / source).write_text("made up")
        os.utime(directory / source, (0, 0))
    atlas_part.save(part, directory)
    carriers = (part.values["information_q"] <= 0.05).mean(axis=1)
    words = [WORDS[0] if share > rng.uniform(0, 0.35) else WORDS[rng.integers(1, 4)] for share in carriers]
    labels = {label: {"verdict": word, "because": "made up"} for label, word in zip(LABELS, words, strict=True)}
    write_json(directory / "assessment.json", {"labels": labels})
    (directory / "report.html").write_text(f"<title>{name}</title><h1>{name}</h1><a href='../summary.html'>back</a>")
    for command in ORDER:
        save(Receipt(command=command, session=name, state="done"), directory)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--units", type=int, default=200)
    given = parser.parse_args(arguments)
    print(many_sessions(given.folder, given.sessions, given.units))


if __name__ == "__main__":
    main()
