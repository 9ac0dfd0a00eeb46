"""``python -m tests.support.fuzzing.meaning``: random faults in random recordings, and how they ended, by kind."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from tests.support.fuzzing.meaning.faults import FAULTS
from tests.support.fuzzing.meaning.judge import Outcome, run

AUTO_EVERY = 3  # every third file leaves the choice of labels to auto
EVERY = 50  # files between two lines of progress


def main(count: int, seed: int, kinds: list[str]) -> int:
    """Run ``count`` files and return how many broke their promise."""
    names = [name for name in FAULTS if not kinds or name in kinds]
    outcomes: dict[str, list[tuple[int, Outcome]]] = defaultdict(list)
    started = time.monotonic()
    for number in range(count):
        name = names[number % len(names)]
        auto = (number // len(names)) % AUTO_EVERY == AUTO_EVERY - 1
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcomes[name].append(
                (number, run(FAULTS[name], Path(folder), np.random.default_rng([seed, number]), auto))
            )
        if (number + 1) % EVERY == 0:
            print(f"{number + 1} files in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    for name, ended in outcomes.items():
        counted = Counter(outcome.ending for _, outcome in ended)
        print(f"{name:40s} {', '.join(f'{ending} {times}' for ending, times in counted.most_common())}")
    bad = [(name, number, outcome) for name, ended in outcomes.items() for number, outcome in ended if not outcome.good]
    for name, number, outcome in bad:
        print(f"\n{name} (seed {seed}, file {number}): {outcome.ending}: {outcome.detail[:500]}")
    total = Counter(outcome.ending for ended in outcomes.values() for _, outcome in ended)
    print(f"\n{count} files, {len(bad)} broke their promise: {dict(total)}")
    return len(bad)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", default=[], choices=sorted(FAULTS))
    given = parser.parse_args()
    sys.exit(bool(main(given.count, given.seed, given.kind)))
