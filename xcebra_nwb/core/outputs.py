"""The files that each command of a session writes."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

# The commands of a session in their order, and the names of the files that each writes.
FILES: dict[str, tuple[str, ...]] = {
    "fetch": ("source.json",),
    "extract": ("session.nc", "inventory.json", "sizes.json"),
    "train": ("model.safetensors", "training.nc", "embedding.nc"),
    "attribute": ("attribution.nc", "units.nc"),
    "assess": ("assessment.json", "decoded.nc"),
    "write": ("*_desc-xcebra.nwb",),
    "check": ("check.json",),
    "report": ("report.html", "atlas.json"),
}

UNFINISHED = {"train": "checkpoint.safetensors"}  # what a command leaves that was killed, to go on from


def command_writing(path: Path | str) -> str:
    """Return the command that writes a file or a receipt, for an error message.

    >>> command_writing("results/a/training.nc")
    'xcebra-nwb train'
    >>> command_writing("notes.txt")
    'the command that writes it'
    """
    path = Path(path)
    commands = [path.stem] if path.parent.name == "receipts" else []
    commands += [command for command, names in FILES.items() if any(fnmatch(path.name, name) for name in names)]
    return f"xcebra-nwb {commands[0]}" if commands else "the command that writes it"
