"""Where things are: the project, its programs, and the real recordings beside it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "xcebra_nwb"
DOCS = ROOT / "docs"
PLUGIN = ROOT / "plugins" / "snakemake-storage-plugin-dandi"
RECORDED = ROOT / "tests" / "support" / "loopback" / "recorded"  # answers of a real archive
SHARED = ROOT.parent / "shared" / "data"  # the real recordings, which are not part of the project
BIN = Path(sys.executable).parent
COMMAND = BIN / "xcebra-nwb"
