"""verify: do the maps of an exported session come out again from the source that it names?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.sessions import Session
from xcebra_nwb.config import Config, validate
from xcebra_nwb.errors import UsageError
from xcebra_nwb.files import sha256
from xcebra_nwb.fingerprint import fingerprint
from xcebra_nwb.nwb.exported import Exported, read_export
from xcebra_nwb.provenance import software
from xcebra_nwb.session import load_dataset
from xcebra_nwb.verbs.attribute import attribute
from xcebra_nwb.verbs.extract import extract
from xcebra_nwb.verbs.train import train

CLOSE = 0.95  # rank correlation over units from which on two maps agree


@dataclass(frozen=True)
class Agreement:
    """How two maps of a label agree: rank correlation over units, and the largest difference by the largest value."""

    method: str
    label: str
    correlation: float
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether they say the same."""
        return self.difference == 0 or self.correlation >= CLOSE

    def __str__(self) -> str:
        """Return it as one line."""
        how = "identical" if self.difference == 0 else f"rank correlation {self.correlation:.3f}"
        far = "" if self.difference == 0 else f", largest difference {self.difference:.2g} of the largest value"
        return f"{self.label}, {self.method}: {how}{far}"


def verify(
    result: Path, source: Path | None = None, output: Path | None = None, threads: int = 1
) -> tuple[list[Agreement], list[str]]:
    """Make the maps of ``result`` again from its source; return how they agree, and what is not as it was then.

    The source is fetched from the archive that the result names, or is the local file ``source``. What is made goes
    into the folder ``output`` if one is given.

    Raises:
        UsageError: ``result`` is no export, its source is not named or not this one, or it was trained with others.
        Failure: the archive is out of reach, or holds something else than it did.
    """
    exported = read_export(result)
    if others := exported.lineage.get("trained_with") or exported.lineage.get("aligned_to"):
        raise UsageError(f"{result}: its encoders share a space with {others}", "verify sessions that stand alone")
    config = validate(dict(exported.config))
    with tempfile.TemporaryDirectory() as temporary:
        directory = output or Path(temporary) / exported.lineage["session"]
        directory.mkdir(parents=True, exist_ok=True)
        _make(_source(exported, source, directory), directory, config, exported.lineage["session"], threads)
        again = _maps(directory / "attribution.nc")
    return _compared(result, exported.maps, again), changes(exported.lineage)


def _source(exported: Exported, source: Path | None, directory: Path) -> Path:
    lineage = exported.lineage
    if source is not None:
        if sha256(source) != lineage.get("sha256"):
            raise UsageError(f"{source}: not the file that the results were made from", "its SHA-256 is another one")
        return source
    if "address" not in lineage:
        problem = f"the results were made from a local file, {lineage.get('source_file', 'not named')}"
        raise UsageError(problem, "name it with --source")
    named = {name: lineage.get(name, "") for name in pinned.LINEAGE if name != "source"}
    row = Session(session=lineage["session"], include=True, source=lineage["address"], **named)
    return pinned.save(pinned.Pinned(access="download", session=row), directory)


def _make(source: Path, directory: Path, config: Config, session: str, threads: int) -> None:
    extract(source, directory, config, session)
    train(directory, config, threads)
    attribute(directory, config, threads)


def _maps(file: Path) -> dict[tuple[str, str], np.ndarray]:
    found = load_dataset(file)["attribution"]  # (method, label, unit)
    return {
        (str(method), str(label)): found.sel({"method": method, "label": label}).values
        for method in found["method"].values
        for label in found["label"].values
    }


def _compared(
    result: Path, then: Mapping[tuple[str, str], np.ndarray], now: Mapping[tuple[str, str], np.ndarray]
) -> list[Agreement]:
    if {key: len(one) for key, one in then.items()} != {key: len(one) for key, one in now.items()}:
        raise UsageError(f"{result}: other labels, methods or units come out", "was it changed, or is the code newer?")
    return [_agreement(*key, then[key], now[key]) for key in then]


def _agreement(method: str, label: str, then: np.ndarray, now: np.ndarray) -> Agreement:
    if np.array_equal(then, now, equal_nan=True):
        return Agreement(method, label, 1.0, 0.0)
    known = np.isfinite(then) & np.isfinite(now)
    if known.sum() < 2 or not np.array_equal(np.isfinite(then), np.isfinite(now)):
        return Agreement(method, label, float("nan"), float("nan"))
    largest = np.abs(then[known]).max() or 1.0
    difference = float(np.abs(then[known] - now[known]).max() / largest)
    return Agreement(method, label, float(spearmanr(then[known], now[known]).statistic), difference)


def changes(lineage: Mapping[str, str]) -> list[str]:
    """Return what is another than when the results were made: software and code, a line each."""
    lines = []
    for name, version in software().items():
        then = lineage.get(f"software.{name}")
        if then is not None and then != version:
            lines.append(f"{name} {version}, then {then}")
    for key, then in lineage.items():
        verb = key.removeprefix("code.")
        if verb != key and fingerprint(verb) != then:
            lines.append(f"the code of {verb} is another")
    return lines
