"""What is wrong with a config, in the words of who wrote it."""

from __future__ import annotations

import difflib

from pydantic import BaseModel, ValidationError

from xcebra_nwb.core.config.labels import Label
from xcebra_nwb.core.config.objectives import Objective


def first_problem(error: ValidationError, config: type[BaseModel]) -> str:
    """Return the most telling of pydantic's findings on a ``config`` in one line, with the nearest valid key."""
    problems = error.errors(include_url=False)
    problem = max(problems, key=lambda p: (p["type"] == "extra_forbidden", len(p["loc"])))
    unknown = problem["type"] == "extra_forbidden"  # then the last part is a key that the user wrote, whatever it is
    parts, own = problem["loc"], len(problem["loc"]) - unknown
    location = [str(part) for number, part in enumerate(parts) if number >= own or not _is_branch_tag(part)]
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
    """Pydantic names the branch of a union in the location; users never wrote it."""
    text = str(part)
    return "[" in text or text in {"float", "str", "function-after", "constrained-str", "dict", "list"}


def _keys_at(location: tuple[str, ...], config: type[BaseModel]) -> list[str]:
    """The valid keys of the section at ``location``."""
    if location[:1] == ("labels",):
        return list(Label.model_fields)
    if location[:1] == ("objectives",):
        return list(Objective.model_fields)
    model = config
    for part in location:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)
