"""HTML pages from templates: everything is escaped, nothing is fetched, and only our own script may run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from xcebra_nwb.core.safe_text import printable_lines
from xcebra_nwb.report.glossary import explained, reasons
from xcebra_nwb.report.glossary import words as words_explained
from xcebra_nwb.report.packing import pack
from xcebra_nwb.report.style import number

MOST_ROWS = 100  # of a table or list from a JSON file
LINE = 100  # characters of a list that are still read as one line
LONG = 200_000  # characters of rows from which they are packed
SCRIPTS = (
    *("pointed.js", "explain.js", "save.js", "select.js", "table.js", "units.js", "cloud.js", "timeline.js"),
    "scatter.js",
)
LONGEST = 600  # characters of one value


def render(template: str, scripts: Sequence[str] = SCRIPTS, **content: Any) -> str:
    """Return the page of a template; every value in it is escaped.

    Args:
        template: file name of the template.
        scripts: file names of the scripts that the page may run.
        **content: values of the template.
    """
    pages = _environment()
    script = "\n".join(pages.loader.get_source(pages, name)[0] for name in scripts) if pages.loader else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    safe_script = Markup(script)  # nosec B704  # a file of this package
    return pages.get_template(template).render(**content, script=safe_script, script_digest=f"sha256-{digest}")


def part(template: str, **content: Any) -> str:
    """Return a part of a page, made from a template as :func:`render` does.

    Args:
        template: file name of the template.
        **content: values of the template.
    """
    return _environment().get_template(template).render(**content)


def stored(rows: list[Any]) -> Markup:
    """Return rows as an element that a script reads: JSON, packed where it is long.

    Args:
        rows: of a table.
    """
    text = htmlsafe_json_dumps(_shown(rows), separators=(",", ":"))
    if len(text) < LONG:
        return Markup('<script type="application/json">{}</script>').format(text)
    return Markup('<script type="application/json" data-packed>"{}"</script>').format(pack(text))


@cache
def _environment() -> Environment:
    pages = Environment(
        loader=PackageLoader("xcebra_nwb.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
    )
    pages.policies["json.dumps_function"] = lambda value: json.dumps(_shown(value), separators=(",", ":"))
    pages.policies["json.dumps_kwargs"] = {}
    pages.globals |= {"most_rows": MOST_ROWS, "words_explained": words_explained, "reasons": reasons}
    pages.filters |= {"number": number, "words": words, "columns": columns, "stored": stored, "explained": explained}
    pages.tests |= {"nested": is_nested, "records": is_records}
    return pages


def _shown(value: Any) -> Any:
    """A value of a page: text, in lists too, is :func:`printable_lines`; a browser heeds directions of writing."""
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {_shown(key): _shown(item) for key, item in value.items()}
    return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def is_nested(value: Any) -> bool:
    """Return whether a mapping or list needs more than a line.

    >>> is_nested({"a": 1}), is_nested([1, 2]), is_nested([[1]]), is_nested("text")
    (True, False, True, False)
    """
    if isinstance(value, Mapping):
        return bool(value)
    if not isinstance(value, list):
        return False
    return any(isinstance(item, Mapping | list) for item in value) or sum(len(str(item)) for item in value) > LINE


def is_records(value: Any) -> bool:
    """Return whether ``value`` is a list of mappings, which a table can show.

    >>> is_records([{"a": 1}]), is_records([1])
    (True, False)
    """
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def columns(records: list[Mapping[str, Any]]) -> list[str]:
    """Return the keys of all records in the order in which they first come.

    >>> columns([{"a": 1}, {"b": 2, "a": 3}])
    ['a', 'b']
    """
    return list(dict.fromkeys(key for record in records[:MOST_ROWS] for key in record))


def words(value: Any) -> str:
    """Return a value of a JSON file in one line for reading.

    >>> words(True), words(None), words([1, 2.5]), words(0.123456789)
    ('yes', '–', '1, 2.5', '0.123457')
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value, 6) if isinstance(value, float) else str(value)
    if isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value):
        text = ", ".join(words(item) for item in value[:MOST_ROWS]) or "–"
    elif isinstance(value, Mapping | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
