"""Run recordings of growing size, and print CPU time and memory by command, with the exponents of their growth.

``python benchmarks/growth.py FOLDER``, from the root of the project, with nothing else at work. One axis grows at a
time: the bins of a recording of 20 units, the units of a recording of ten minutes, or the labels of one of 20 units.
Encoders are few and short, so that what grows is not hidden behind what does not. A size that does not end is
said with its reason, and larger ones are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import yaml

from tests.support.paths import COMMAND

BIN = 0.05  # s
SHORT = {"steps": 50, "seeds": 2, "nulls": 4}
POSITION = {"source": "/processing/behavior/Position/position", "kind": "continuous"}
BEHAVIOR, SPEED = "processing/behavior/BehavioralTimeSeries", "speed"  # the series that further labels are copies of
SIZES = {
    "bins": (10_000, 100_000, 1_000_000, 10_000_000),
    "units": (20, 100, 500, 2_000, 5_000),
    "labels": (1, 2, 4, 10),
}
LEAST_SECONDS = 1.0  # of CPU: growth below it is that of starting
RUN = "sub-{axis}{size}_ses-1"


class Size(NamedTuple):
    """The size of a recording."""

    bins: int = 12_000
    units: int = 20
    labels: int = 1


def recording(path: Path, size: Size, width: float) -> dict[str, Any]:
    """Write a recording that is not there yet, and return its config.

    Labels beyond the position are random walks of one axis, which no unit carries.

    Args:
        path: file to write.
        size: of the recording.
        width: of a bin, s.
    """
    if not path.exists():
        words = ("simulate", path, "--duration", size.bins * width, "--cells", size.units // 4)
        subprocess.run([COMMAND, "--quiet", *map(str, words)], check=True)
    walks = [f"walk{number}" for number in range(1, size.labels)]
    with h5py.File(path, "r+") as file:
        group = file[BEHAVIOR]
        for number, name in enumerate(walks):
            if name not in group:
                file.copy(group[SPEED], group, name)
                steps = np.random.default_rng(number).normal(size=group[name]["data"].shape)
                group[name]["data"][...] = np.abs(np.cumsum(steps))  # a walk that turns back at 0
    labels = {name: {"source": f"/{BEHAVIOR}/{name}", "kind": "continuous"} for name in walks}
    return {"labels": {"position": POSITION} | labels, "training": SHORT, "time": {"bin_width": width}}


def costs(folder: Path, axis: str, size: int, width: float) -> tuple[pd.DataFrame, str]:
    """Run a recording, and return the CPU seconds and memory of each command, and how the session ended."""
    session = RUN.format(axis=axis, size=size)
    path, results = folder / f"{session}.nwb", folder / session
    config = recording(path, Size(**{axis: size}), width)
    (folder / f"{session}.yaml").write_text(yaml.safe_dump(config))
    words = [COMMAND, "run", path, "-o", results, "-c", folder / f"{session}.yaml", "--cores", 1]
    with (folder / f"{session}.log").open("w") as said:
        subprocess.run([str(word) for word in words], stdout=said, stderr=said, check=False)
    rows = [
        {"axis": axis, "size": size, "command": path.stem, "CPU s": row["cpu_time"], "MB": row["max_rss"]}
        for path in results.glob("benchmarks/*/*.tsv")
        for row in pd.read_csv(path, sep="\t").to_dict("records")
    ]
    status = json.loads((results / session / "status.json").read_text())
    return pd.DataFrame(rows), "" if status["state"] == "done" else f"{status['state']}: {status['reason']}"


def exponents(rows: pd.DataFrame, column: str) -> Iterator[tuple[str, str, float]]:
    """Yield axis, command and exponent of the growth of a column between its two largest sizes.

    >>> rows = pd.DataFrame({"axis": "bins", "command": "train", "size": [10, 100], "CPU s": [2.0, 20.0]})
    >>> list(exponents(rows, "CPU s"))
    [('bins', 'train', 1.0)]
    """
    for (axis, command), group in rows.groupby(["axis", "command"], sort=False):
        largest = group.sort_values("size").tail(2)
        if len(largest) == 2 and largest["CPU s"].iloc[-1] > LEAST_SECONDS:
            slope = np.diff(np.log(largest[column])) / np.diff(np.log(largest["size"]))
            yield str(axis), str(command), round(float(slope[0]), 2)


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--axes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--largest", type=float, default=float("inf"), help="largest size of any axis")
    parser.add_argument("--bin-width", type=float, default=BIN, help="s; recordings of many bins are shorter with less")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for axis in given.axes:
        for size in (size for size in SIZES[axis] if size <= given.largest):
            rows, problem = costs(folder, axis, size, given.bin_width)
            found.append(rows)
            pd.concat(found).to_csv(folder / "growth.csv", index=False)
            if problem:
                print(f"{size:,} {axis}: {problem}")
                break
    every = pd.concat(found)
    for column in ("CPU s", "MB"):
        table = every.pivot_table(index=["axis", "size"], columns="command", values=column, sort=False)
        print(f"\n{column}\n{table.round(1).to_string()}")
        print("\n".join(f"{axis}, {command}: exponent {slope}" for axis, command, slope in exponents(every, column)))


if __name__ == "__main__":
    main()
