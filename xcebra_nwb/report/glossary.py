"""The words of the pages, and why each number of a verdict is asked: read from the docs, where they are said once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup, escape

from xcebra_nwb.core.installation import packaged_path
from xcebra_nwb.core.safe_text import printable_lines

# Words of every other sentence: a mark at each would hide the others.
EVERYDAY = frozenset(["activity", "bin", "label", "recording", "session", "unit"])
# Words that sentences also use in another sense, and words of runs.
ELSEWHERE = frozenset(
    [
        *("archive", "asset", "card", "command", "dandiset", "digest", "failure", "fingerprint", "layout", "profile"),
        *("receipt", "reference", "refusal", "share", "step", "stretch", "version", "workflow"),
    ]
)
FORMS = {"carries": "carry", "carried": "carry", "pseudo-inverse": "inverse"}  # that are not the word and an s
SHORT = frozenset("zpq")  # too short to be looked for in a text
Text = str | Markup


@dataclass(frozen=True)
class Entry:
    """A word or number, and its explanation."""

    address: str
    title: str
    names: tuple[str, ...]
    text: Markup


@cache
def words() -> tuple[Entry, ...]:
    """Return the entries of docs/glossary.md, in their order."""
    text = packaged_path("docs/glossary.md").read_text(encoding="utf-8")
    found = re.findall(r"^\*\*(.+?)\.\*\* (.+?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return tuple(_entry(title, said) for title, said in found)


def _entry(title: str, said: str) -> Entry:
    names = tuple(re.sub(r" \(.*?\)", "", name) for name in title.split(", "))
    return Entry(f"term-{_address(title)}", title, names, _inline(said))


@cache
def reasons() -> dict[str, Entry]:
    """Return why each ground and condition of a verdict is asked, by its name: rows of docs/reference/verdicts.md."""
    text = packaged_path("docs/reference/verdicts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", text, flags=re.MULTILINE)
    return {
        name: Entry(f"why-{name}", name, (name,), _inline(f"{_sentence(number)} {_sentence(why)}"))
        for name, number, _, why, _ in rows
    }


def explained(text: Text, everyday: bool = False) -> Markup:
    """Return a text in which the first place of each word of the glossary leads to its explanation.

    Args:
        text: plain text, or markup without tags; its control characters are left out.
        everyday: whether words of every other sentence are marked, too.

    >>> explained("Two nulls & a null.")
    Markup('Two <a class="term" href="#term-null">nulls</a> &amp; a null.')
    """
    addresses, pattern = _index(everyday)
    seen, parts, end = set[str](), list[Markup](), 0
    plain = printable_lines(text.unescape() if isinstance(text, Markup) else text)
    for found in pattern.finditer(plain):
        address = addresses[found[0].lower()]
        if address in seen:
            continue
        seen.add(address)
        link = Markup('<a class="term" href="#{}">{}</a>').format(address, found[0])
        parts += [escape(plain[end : found.start()]), link]
        end = found.end()
    return Markup("").join([*parts, escape(plain[end:])])


@cache
def _index(everyday: bool) -> tuple[dict[str, str], re.Pattern[str]]:
    """The address of each form of a word, and what finds them: the longest first."""
    addresses: dict[str, str] = {}
    for entry in words():
        for name in entry.names:
            if name.lower() in SHORT | ELSEWHERE or (name.lower() in EVERYDAY and not everyday):
                continue
            for form in (name.lower(), f"{name.lower()}s", f"{name.lower()}es"):
                addresses.setdefault(form, entry.address)
    for form, name in FORMS.items():
        addresses[form] = addresses[name]
    longest = sorted(addresses, key=len, reverse=True)
    return addresses, re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})(?![\w-])", re.IGNORECASE)


def _address(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower().replace("²", "2")).strip("-")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text[0] != "`" else f"{text}."


def _inline(text: str) -> Markup:
    """The inline Markdown of the docs as markup: links become their text, as the page stands alone."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", " ".join(text.split()))
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(plain)))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", marked))  # nosec B704  # docs of this package, escaped
