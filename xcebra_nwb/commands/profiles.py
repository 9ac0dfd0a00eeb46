"""Profiles of Snakemake: files that say where the jobs of a workflow run, and with what."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import yaml

from xcebra_nwb.core.errors import UsageError, one_line
from xcebra_nwb.core.installation import packaged_path
from xcebra_nwb.core.safe_text import shorten

PACKAGED = "workflow/profiles"
PLUGIN = "snakemake_executor_plugin_"
WITH_SNAKEMAKE = {"local", "dryrun", "touch"}  # executors that it brings along


def find_profile(name: str) -> Path:
    """Return the folder of a profile, or its file.

    Args:
        name: A folder or file; or the name of a folder where Snakemake keeps profiles of a user or a site, or of a
            profile of this package. One's own goes before one of the package.

    Raises:
        UsageError: There is no such profile, it cannot be read, or what it needs is not installed.
    """
    from snakemake.cli import get_profile_dir

    packaged = packaged_path(PACKAGED)
    found = get_profile_dir(name) or get_profile_dir(str(packaged / name))
    if found is None:
        ours = ", ".join(sorted(path.name for path in packaged.iterdir()))
        raise UsageError(f"{shorten(name, 80)}: no such profile", f"the folder of a profile, or one of: {ours}")
    file = Path(found[1]).absolute()
    executor = _executor(file)
    if executor not in WITH_SNAKEMAKE and find_spec(PLUGIN + executor.replace("-", "_")) is None:
        extra = "xcebra-nwb[cluster]" if executor == "slurm" else f"snakemake-executor-plugin-{executor}"
        raise UsageError(f"{file}: the executor {executor} is not installed", f"pip install '{extra}'")
    return file if Path(name).is_file() else file.parent


def _executor(profile: Path) -> str:
    """Return the name of the executor in a profile."""
    try:
        settings = yaml.safe_load(profile.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{profile}: cannot be read: {one_line(error)}") from None
    if not isinstance(settings, dict):
        raise UsageError(f"{profile}: no settings", "lines such as `executor: slurm`")
    return one_line(settings.get("executor", "local"))
