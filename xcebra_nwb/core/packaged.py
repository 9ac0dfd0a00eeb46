"""Files that come with the package and are no Python: the workflow, the benchmarks' workflow, example configs."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core.errors import Failure

PACKAGE = Path(__file__).parents[1]
EXAMPLES = "config/examples"


def packaged(path: str) -> Path:
    """Return where ``path`` of the repository is: inside the package when installed, beside it in a checkout.

    Raises:
        Failure: it is in neither place.
    """
    for place in (PACKAGE / f"_{path}", PACKAGE.parent / path):
        if place.exists():
            return place
    raise Failure(f"{path} is not installed with the package", "install xcebra-nwb again")


def config_file(name: Path) -> Path:
    """Return ``name``, or the example config of that name if there is no such file."""
    example = packaged(EXAMPLES) / f"{name}.yaml"
    return example if len(name.parts) == 1 and not name.exists() and example.exists() else name
