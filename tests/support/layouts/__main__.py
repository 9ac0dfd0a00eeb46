"""Write docs/reference/layouts.md, and say which choices are wrong: ``python -m tests.support.layouts``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.layouts.all import LAYOUTS, WELL_KNOWN
from tests.support.layouts.model import judge
from tests.support.layouts.page import PAGE, page
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.inventory.models import Automatic


def main() -> int:
    """Write the page and print the verdicts; return 1 if a choice is wrong."""
    choices: dict[str, Automatic] = {}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for layout in LAYOUTS:
            path = Path(folder) / f"{layout.name}.nwb"
            layout.build(path)
            choices[layout.name] = inventory(path).automatic
            verdict = judge(layout, choices[layout.name])
            wrong += bool(verdict.faults)
            print(f"{'wrong' if verdict.faults else 'ok   '} {layout.name}: {'; '.join(verdict.taken) or 'no label'}")
            for fault in verdict.faults:
                print(f"      {fault}")
    PAGE.write_text(page(choices, WELL_KNOWN), encoding="utf-8")
    print(f"{len(LAYOUTS) - wrong} of {len(LAYOUTS)} are right; wrote {PAGE.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
