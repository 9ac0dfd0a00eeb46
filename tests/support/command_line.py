"""Call ``xcebra-nwb`` inside the process of the tests."""

from __future__ import annotations

import sys

import pytest

from xcebra_nwb.commands import cli


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Return the exit code, the text of the standard output, and the text of the standard error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["xcebra-nwb", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def one_line(text: str) -> str:
    """Return the only line that ``xcebra-nwb`` wrote on the standard error; there must be no traceback."""
    lines = [line for line in text.splitlines() if line.startswith("xcebra-nwb:")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]
