"""The table of what a command took says what it took."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, time
from pathlib import Path
from xcebra_nwb.core import usage
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
block = bytearray(300_000_000)
usage.save(Path(sys.argv[1]))
"""


def test_the_time_and_the_memory_of_a_command_are_those_of_its_process(tmp_path: Path) -> None:
    table = tmp_path / "benchmarks" / "a" / "train.tsv"
    subprocess.run([sys.executable, "-c", PROGRAM, table], check=True)
    names, values = (line.split("\t") for line in table.read_text().splitlines())
    row = dict(zip(names, values, strict=True))
    assert 0.3 <= float(row["cpu_time"]) < 3
    assert float(row["s"]) >= 0.3
    assert 300 <= float(row["max_rss"]) < 600
    assert row["h:m:s"].startswith("0:00:")
