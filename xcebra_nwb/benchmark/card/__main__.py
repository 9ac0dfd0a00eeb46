"""``python -m xcebra_nwb.benchmark.card -o OUT``: measure a card part by part, and write one table.

A part that fails or takes too long is a line of the table, and the command then ends with 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import torch

from xcebra_nwb.benchmark.card.parts import FULL, PARTS, QUICK, Row, turn
from xcebra_nwb.core.files import write_json, write_text

LIMITS = {"speed": 150, "long-session": 90, "step": 45, "stack": 75, "two-processes": 60}  # s; 7 minutes together
STATED = 300  # characters of an error


def main() -> int:
    """Measure, or do one part in a process of its own; return the exit code."""
    given = _arguments()
    if given.turn:
        turn(given.turn, given.steps)
        return 0
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA card here: nothing was measured", file=sys.stderr)
        return 2
    if given.part:
        rows = PARTS[given.part](device, QUICK if given.quick else FULL)
        write_json(given.output / f"{given.part}.json", [row._asdict() for row in rows])
        return 0
    failed = [part for part in PARTS if not _apart(part, given)]
    table = _table(given.output)
    write_text(given.output / "table.md", table)
    print(table, end="")
    return 1 if failed else 0


def _apart(part: str, given: argparse.Namespace) -> bool:
    """Do a part in a process of its own and return whether it ended well; if not, its row says why."""
    words = [sys.executable, "-m", "xcebra_nwb.benchmark.card", "--part", part, "--device", given.device]
    words += ["-o", str(given.output), *(["--quick"] if given.quick else [])]
    target, started = given.output / f"{part}.json", perf_counter()
    target.unlink(missing_ok=True)
    print(f"{part} ...", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(words, timeout=LIMITS[part], capture_output=True, text=True)
        lines = done.stderr.strip().splitlines()
        problem = "" if done.returncode == 0 else f"failed ({done.returncode}): {lines[-1][:STATED] if lines else ''}"
        write_text(given.output / f"{part}.log", done.stdout + done.stderr)
    except subprocess.TimeoutExpired:
        problem = f"took more than {LIMITS[part]} s"
    rows = json.loads(target.read_text()) if target.exists() else []
    taken = Row(part, "all of it", problem or f"{perf_counter() - started:.0f} s")
    write_json(target, [*rows, taken._asdict()])
    return not problem


def _table(folder: Path) -> str:
    lines = ["| part | what | value |", "|---|---|---|"]
    for part in PARTS:
        rows = json.loads((folder / f"{part}.json").read_text())
        lines += ["| " + " | ".join(str(row[key]).replace("|", "/") for key in Row._fields) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m xcebra_nwb.benchmark.card", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("card"), help="folder of the table")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to see that it runs")
    parser.add_argument("--quick", action="store_true", help="only show that every part runs")
    parser.add_argument("--part", choices=PARTS, help="do one part alone")
    parser.add_argument("--turn", help="(one of two processes on a device)")
    parser.add_argument("--steps", type=int, default=QUICK.shared_steps, help="(of that process)")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    return given


if __name__ == "__main__":
    sys.exit(main())
