"""Build the site: ``python -m docs.site.build`` (``make site``).

A warning is an error, notebooks are run, and all links within the site are checked. Each version of the site is a
folder; ``versions.json`` and ``index.html`` beside the folders lead to them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from docs.site.contents import ROOT
from docs.site.links import dead_links
from docs.site.notebooks import as_ipynb
from docs.site.stage import stage
from docs.site.versions import DEVELOPMENT, write_versions
from xcebra_nwb.core.provenance import fingerprint


def build(folder: Path, version: str, address: str) -> list[str]:
    """Build one version of the site, and return the links of it that lead nowhere.

    Args:
        folder: Folder of all that is built; ``html`` in it is the site.
        version: Name of the version, which is its folder in the site.
        address: Where the site will stand, such as ``/`` or ``https://host/xcebra-nwb/``.

    Raises:
        subprocess.CalledProcessError: Sphinx found something wrong, or a notebook did not run.
    """
    source, extra, html = folder / "source", folder / "extra", folder / "html" / version
    notebooks = stage(source)
    as_ipynb(notebooks, extra)
    settings = {
        "XCEBRA_NWB_SITE_VERSION": version,
        "XCEBRA_NWB_SITE_URL": address,
        "XCEBRA_NWB_SITE_EXTRA": str(extra),
        "XCEBRA_NWB_SITE_OUTPUTS": str(folder / "outputs" / fingerprint("run")),
    }
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--quiet"]
    command += ["--keep-going", "--write-all"]  # every page has the menu of all pages
    command += ["--conf-dir", str(Path(__file__).parent), "--doctree-dir", str(folder / "doctrees")]
    subprocess.run([*command, str(source), str(html)], check=True, cwd=ROOT, env=os.environ | settings)
    write_versions(folder / "html", address)
    return dead_links(html)


def main() -> None:
    """Build the site that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--version", default=DEVELOPMENT)
    parser.add_argument("--address", default="/")
    chosen = parser.parse_args()
    dead = build(chosen.folder, chosen.version, chosen.address)
    for link in dead:
        print(f"leads nowhere: {link}", file=sys.stderr)
    print(f"{chosen.folder / 'html' / chosen.version / 'index.html'}")
    sys.exit(bool(dead))


if __name__ == "__main__":
    main()
