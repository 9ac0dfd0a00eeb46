"""Which verb of a session makes which of its files."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

# The verbs of a session in their order, and the names of the files that each writes.
FILES: dict[str, tuple[str, ...]] = {
    "fetch": ("source.json",),
    "extract": ("session.nc", "inventory.json", "sizes.json"),
    "train": ("model.safetensors", "training.nc", "embedding.nc"),
    "attribute": ("attribution.nc",),
    "assess": ("assessment.json",),
    "write": ("*_desc-xcebra.nwb",),
    "check": ("check.json",),
    "report": ("report.html",),
}


def maker(path: Path | str) -> str:
    """Return the command that makes a file or a receipt, as words of an error; without a name where none is known."""
    path = Path(path)
    found = [path.stem] if path.parent.name == "receipts" else []
    found += [verb for verb, names in FILES.items() if any(fnmatch(path.name, name) for name in names)]
    return f"xcebra-nwb {found[0]}" if found else "the verb that makes it"
