"""What all sections of the config share: strict keys, and the message on a wrong one."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

LABEL_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"


class Section(BaseModel):
    """A section of the config: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def first_problem(error: ValidationError, config: type[BaseModel]) -> str:
    """Return the most telling problem with a config in one line.

    An unknown key comes with the nearest valid one.

    Args:
        error: Problems that pydantic found.
        config: Model of the whole config.
    """
    problems = error.errors(include_url=False)
    problem = max(problems, key=lambda p: (p["type"] == "extra_forbidden", len(p["loc"])))
    unknown = problem["type"] == "extra_forbidden"  # the last part of the location is then a key of the user
    parts, known_parts = problem["loc"], len(problem["loc"]) - unknown
    location = [str(part) for number, part in enumerate(parts) if number >= known_parts or not _is_branch_tag(part)]
    key = ".".join(location)
    if unknown:
        known = _keys_at(tuple(location[:-1]), config)
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"valid keys: {', '.join(known)}"
        return f"unknown key {key} ({hint})"
    message = problem["msg"].removeprefix("Value error, ")
    value = problem["input"]
    shown = f", got {value!r}" if isinstance(value, str | int | float | bool | list | None) else ""
    return f"{key}: {message}{shown}" if key else message


def _is_branch_tag(part: object) -> bool:
    """Return whether a part of a location names the branch of a union, not a key."""
    text = str(part)
    return "[" in text or text in {"float", "str", "function-after", "constrained-str", "dict", "list"}


def _keys_at(location: tuple[str, ...], config: type[BaseModel]) -> list[str]:
    """Return the valid keys of the section at ``location``; names of labels and numbers of a list stand for items."""
    section = config
    for part in location:
        field = section.model_fields.get(part)
        section = (field and _section_in(field.annotation)) or section
    return list(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, also in a union, a list or a mapping; None where it holds values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((section for part in get_args(annotation) if (section := _section_in(part)) is not None), None)
