"""verify: compute the maps of an exported session again from the source that it names, and compare them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.lineage import LOCAL, check_archive, row_of
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.train import train
from xcebra_nwb.core.config.schema import Config, validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.provenance import fingerprint, software
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.export.read_back import MAKERS, Exported, read_export

SECTIONS = ("neural", "time", "labels", "encoder", "objectives", "training", "attribution", "random_seed")
CLOSE = 0.95  # rank correlation over units from which on two maps agree


@dataclass(frozen=True)
class Agreement:
    """Agreement of two maps of a label.

    Attributes:
        method: Method of the maps.
        label: Name of the label.
        correlation: Rank correlation over units.
        difference: Largest difference, relative to the largest value.

    >>> print(Agreement("neuron_gradient", "speed", 0.998, 0.031))
    speed, neuron_gradient: rank correlation 0.998, largest difference 0.031 of the largest value
    """

    method: str
    label: str
    correlation: float
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether the maps agree."""
        return self.difference == 0 or self.correlation >= CLOSE

    def __str__(self) -> str:
        """Return the agreement as one line."""
        how = "identical" if self.difference == 0 else f"rank correlation {self.correlation:.3f}"
        far = "" if self.difference == 0 else f", largest difference {self.difference:.2g} of the largest value"
        return f"{self.label}, {self.method}: {how}{far}"


@dataclass(frozen=True)
class Plan:
    """The checked task of verifying a result.

    Attributes:
        result: The exported file.
        exported: Its content.
        row: Its session, as a row of a table.
        config: Its config.
        source: The recording, if it is a local file.
        output: Folder for the new results; None: a temporary one.
    """

    result: Path
    exported: Exported
    row: Session
    config: Config
    source: Path | None
    output: Path | None

    def __str__(self) -> str:
        """Return the plan as lines, for a user to agree to."""
        training = self.config.training
        lines = {
            "session": self.row.session,
            "source": self.source or self.row.source,
            "encoders": f"seeds: {training.seeds}, nulls a label: {training.nulls}, device: {training.device}",
            "training": f"steps: {training.steps}, batch size: {training.batch_size}",
            "written into": self.output or "a temporary folder, which is deleted",
        }
        return "\n".join(f"{name}: {value}" for name, value in lines.items())

    def as_json(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        keys = ("seeds", "nulls", "device", "steps", "batch_size")
        return {
            "result": str(self.result),
            "session": self.row.session,
            "source": str(self.source or self.row.source),
            "training": {key: getattr(self.config.training, key) for key in keys},
            "output": None if self.output is None else str(self.output),
        }


def planned(result: Path, source: Path | None = None, output: Path | None = None, archive: str | None = None) -> Plan:
    """Return the plan of verifying ``result``.

    No file is written and no server is asked.

    Args:
        result: An exported NWB file, which may come from somebody else.
        source: The recording, if it was a local file.
        output: Folder for the new results; None: a temporary one.
        archive: An archive that is trusted in addition to the public ones.

    Raises:
        UsageError: ``result`` is no export of this package, its source is not named or is another file, the archive of
            its source is not trusted, or it was trained with other sessions.
    """
    exported = read_export(result)
    row = row_of(exported.lineage, result)
    if others := exported.lineage.get("trained_with") or exported.lineage.get("aligned_to"):
        raise UsageError(
            f"{result}: its encoders share a latent space with {others}", "verify sessions that were trained separately"
        )
    if source is not None:
        if sha256(source) != row.sha256:
            raise UsageError(f"{source}: not the file that the results were made from", "its SHA-256 differs")
    elif row.source == LOCAL:
        problem = f"the results were made from a local file, {exported.lineage.get('source_file', 'not named')}"
        raise UsageError(problem, "name it with --source")
    else:
        check_archive(row.source, archive, result)
    return Plan(result, exported, row, _config(exported, result), source, output)


def _config(exported: Exported, result: Path) -> Config:
    """Return the config of the result without the keys for files, folders and access."""
    keys = {name: value for name, value in exported.config.items() if name in SECTIONS}
    return validate(keys, where=str(result))


def verify(plan: Plan, threads: int = 1) -> tuple[list[Agreement], list[str]]:
    """Compute the maps of a result again and compare them.

    Args:
        plan: The checked task.
        threads: CPU threads.

    Returns:
        The agreement of each map, and the changes of software and code since the result was made.

    Raises:
        UsageError: The archive no longer has the source, or a key is missing.
        Failure: The archive does not answer, or its file has changed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        directory = plan.output or Path(temporary) / plan.row.session
        directory.mkdir(parents=True, exist_ok=True)
        source = plan.source or pinned.save(pinned.Pinned(access="download", session=plan.row), directory)
        _make(source, directory, plan.config, plan.row.session, threads)
        again = _maps(directory / "attribution.nc")
    return _compared(plan.result, plan.exported.maps, again), changes(plan.exported.lineage)


def as_json(plan: Plan, agreements: list[Agreement], changed: list[str]) -> dict[str, Any]:
    """Return what came of verifying a result, for JSON."""
    maps = [
        {
            "label": each.label,
            "method": each.method,
            "agrees": each.agrees,
            "rank_correlation": each.correlation,
            "largest_difference": each.difference,
        }
        for each in agreements
    ]
    verified = all(each.agrees for each in agreements)
    return plan.as_json() | {"verified": verified, "maps": maps, "changed_since": changed}


def _make(source: Path, directory: Path, config: Config, session: str, threads: int) -> None:
    extract(source, directory, config, session)
    train(directory, config, threads)
    attribute(directory, config, threads)


def _maps(file: Path) -> dict[tuple[str, str], np.ndarray]:
    maps = load_dataset(file)["attribution"]  # (map_method, label, unit)
    return {
        (str(method), str(label)): maps.sel(map_method=method, label=label).values
        for method in maps["map_method"].values
        for label in maps["label"].values
    }


def _compared(
    result: Path, then: Mapping[tuple[str, str], np.ndarray], now: Mapping[tuple[str, str], np.ndarray]
) -> list[Agreement]:
    if {key: len(units) for key, units in then.items()} != {key: len(units) for key, units in now.items()}:
        raise UsageError(
            f"{result}: the new maps have other labels, methods or units", "the file was changed, or the code is newer"
        )
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
    """Return the software and code that changed since the results were made.

    Args:
        lineage: Lineage of the exported file.

    Returns:
        A line for each change.
    """
    lines = []
    for name, version in software().items():
        then = lineage.get(f"software.{name}")
        if then is not None and then != version:
            lines.append(f"{name} {version}, then {then}")
    codes = {command: lineage.get(f"code.{command}") for command in MAKERS}
    return lines + [
        f"the code of {command} has changed"
        for command, then in codes.items()
        if then not in (None, fingerprint(command))
    ]
