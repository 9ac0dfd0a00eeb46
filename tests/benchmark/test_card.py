"""The check of a card: every part runs (here on the CPU), and a part that fails is a line and leaves the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xcebra_nwb.benchmark.card import __main__ as command
from xcebra_nwb.benchmark.card import parts
from xcebra_nwb.benchmark.card.parts import QUICK, Row
from xcebra_nwb.benchmark.speed.stopwatch import CPU

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "part", ["stack", *(pytest.param(p, marks=pytest.mark.thorough) for p in ("speed", "long-session", "step"))]
)
def test_a_part_gives_rows_of_numbers(part: str) -> None:
    rows = parts.PARTS[part](CPU, QUICK)
    assert rows
    assert all(any(letter.isdigit() for letter in row.value) for row in rows)


def test_the_stack_ends_where_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(work: object, device: object) -> object:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(parts, "ours", full)
    monkeypatch.setattr(parts, "ran_out", lambda error: True)
    assert parts.stack(CPU, QUICK) == [Row("stack", "1 members", "out of memory, and says so")]


@pytest.mark.thorough
def test_a_part_that_fails_is_a_line_of_the_table_and_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PARTS", {"nothing": parts.step, "step": parts.step})
    monkeypatch.setattr(command, "LIMITS", {"nothing": 60, "step": 60})
    monkeypatch.setattr(sys, "argv", ["card", "-o", str(tmp_path), "--device", "cpu", "--quick"])
    assert command.main() == 1  # the process of its own knows no part "nothing"
    said = capsys.readouterr().out
    assert "| nothing | all of it | failed (2): " in said
    assert "| step | all of it | " in said and said == (tmp_path / "table.md").read_text()
