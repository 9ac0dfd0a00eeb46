"""Measure how hard the pages are to read: ``python -m docs.site.reading [PAGE...]``.

Only sentences count: no code, tables or headings. The reading age is the Flesch-Kincaid grade plus five years
(Kincaid et al. 1975, Naval Technical Training Command, report 8-75). Words of the field count as hard words, so compare
pages of one field, and a page with itself.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from docs.site.contents import ROOT, outside_fences, pages

LONG = 25  # words
_ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|vs|Fig|approx|cf|no)\.", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)


class Reading(NamedTuple):
    """How hard a text is to read.

    Attributes:
        sentences: Number of sentences.
        words: Mean number of words in a sentence.
        long: Share of sentences of over 25 words.
        age: Reading age, years.
    """

    sentences: int
    words: float
    long: float
    age: float


def prose(text: str) -> str:
    """Return the sentences of a Markdown text as plain text, a paragraph or list item a line.

    >>> prose("# A\\n\\nSee [the page](b.md) of\\n`code`.\\n\\n| a | b |\\n")
    'See the page of code.'
    """
    text = "".join(part for is_prose, part in outside_fences(_FRONT_MATTER.sub("", text)) if is_prose)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`\n]+(?:\n[^`\n]+)?`", "code", text)
    text = re.sub(r"^(#.*|\|.*|\s*<.*)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^( {4}\S.*)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "\n\n", text, flags=re.MULTILINE)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return "\n".join(part.replace("**", "").replace("*", "") for part in paragraphs if part)


def sentences(text: str) -> list[list[str]]:
    """Return the words of every sentence of a plain text; of lines without an end, those of at least four words.

    >>> sentences("One fact. Two facts are here")
    [['One', 'fact'], ['Two', 'facts', 'are', 'here']]
    """
    found = []
    for line in text.splitlines():
        parts = re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9\"(])", _ABBREVIATIONS.sub(r"\1", line))
        for part in parts:
            words = re.findall(r"[A-Za-z][A-Za-z'’-]*", part)
            if len(words) >= 4 or (words and part.rstrip().endswith((".", "!", "?"))):
                found.append(words)
    return found


def syllables(word: str) -> int:
    """Return about how many syllables an English word has: its groups of vowels, without a silent e.

    >>> [syllables(word) for word in ("map", "neuron", "encoder", "tuned", "table")]
    [1, 2, 3, 1, 2]
    """
    word = re.sub(r"[^a-z]", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = re.search(r"[^aeiouyl]e$|[^aeiouytd]ed$|[^aeiouysxz]es$", word)
    return max(1, groups - bool(silent))


def reading(text: str) -> Reading:
    """Return how hard a Markdown text is to read.

    Args:
        text: A page.
    """
    found = sentences(prose(text))
    words = [word for sentence in found for word in sentence]
    if not words:
        return Reading(0, 0.0, 0.0, 0.0)
    mean = len(words) / len(found)
    grade = 0.39 * mean + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    return Reading(len(found), mean, sum(len(one) > LONG for one in found) / len(found), grade + 5)


def main(paths: list[Path]) -> None:
    """Print a line for each page."""
    print(f"{'sentences':>9} {'words each':>10} {'over 25':>8} {'age':>5}  page")
    for path in paths:
        one = reading(path.read_text(encoding="utf-8"))
        print(f"{one.sentences:9} {one.words:10.1f} {one.long:8.0%} {one.age:5.1f}  {path}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [(ROOT / page).relative_to(ROOT) for page in pages()])
