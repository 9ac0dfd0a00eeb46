"""How the command line ends other than well: one line on what went wrong, and an exit code."""

from __future__ import annotations

import sys

from xcebra_nwb.errors import Exit, Refusal, XcebraError
from xcebra_nwb.files import NO_ROOM


def say(error: Exception) -> int:
    """Print one line on an error and return its exit code."""
    if isinstance(error, XcebraError):
        word = {Exit.REFUSED: "refused", Exit.USAGE: "error", Exit.FAILED: "failed"}.get(error.exit_code, "failed")
        code = f" [{error.code}]" if isinstance(error, Refusal) else ""
        print(f"xcebra-nwb: {word}: {error}{code}", file=sys.stderr)
        return int(error.exit_code)
    explain = getattr(error, "format_message", None)  # the parser's own errors; where typer keeps them is its secret
    if explain is not None:
        print(f"xcebra-nwb: error: {explain()} (see xcebra-nwb --help)", file=sys.stderr)
        return int(Exit.USAGE)
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        hint = "fewer units by neural.where, a larger time.bin_width, or a machine with more memory"
        print(f"xcebra-nwb: failed: out of memory: {text} ({hint})", file=sys.stderr)
        return int(Exit.FAILED)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        where = f"{error.filename}: " if error.filename else ""
        print(f"xcebra-nwb: failed: {where}{error.strerror} (make room there, and run it again)", file=sys.stderr)
        return int(Exit.FAILED)
    hint = "--debug shows where; please report it"
    print(f"xcebra-nwb: failed: unexpected {type(error).__name__}: {text} ({hint})", file=sys.stderr)
    return int(Exit.FAILED)
