"""The config of a call from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xcebra_nwb.core.config.schema import Config, load, validate
from xcebra_nwb.core.errors import UsageError


def settings(
    config: Config | Mapping[str, Any] | Path | str | None = None,
    bin_width: float | None = None,
    seeds: int | None = None,
    nulls: int | None = None,
) -> Config:
    """Return the config of a call.

    The labels are those of the call, so the section ``labels`` of a config is left out.

    Args:
        config: Config, keys and values of one, or path of a YAML file; None for the defaults.
        bin_width: Width of a bin in s; None: as the config says.
        seeds: Number of encoders on the true labels; None: as the config says.
        nulls: Number of encoders for each label with that label shuffled; None: as the config says.

    Raises:
        UsageError: A key or value is wrong, or there is no such file.

    >>> settings({"training": {"steps": 300}}, seeds=2).training.seeds
    2
    """
    if config is None:
        made = Config()
    elif isinstance(config, Config):
        made = config
    elif isinstance(config, Mapping):
        made = validate({key: value for key, value in config.items() if key != "labels"})
    elif isinstance(config, str | Path):
        made = load(config)
    else:
        raise UsageError(f"config: {type(config).__name__}", "give a mapping, or the path of a YAML file")
    content = made.model_dump(mode="json")
    content["labels"] = "auto"
    content["time"] |= {} if bin_width is None else {"bin_width": bin_width}
    content["training"] |= {} if seeds is None else {"seeds": seeds}
    content["training"] |= {} if nulls is None else {"nulls": nulls}
    return validate(content)
