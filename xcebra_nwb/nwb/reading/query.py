"""Select rows of a table by a query, without running anything that it says.

A query may contain comparisons (``== != < <= > >= in``, ``not in``), ``and``, ``or``, ``not`` (also ``& | ~``),
parentheses, sums, products, numbers, texts in quotes, ``True``, ``False``, lists of such values in brackets, and names
of columns. A name that is no plain word stands in backticks. ``index`` is the number of the row, unless a column has
that name. Attributes and calls are not allowed. NaN equals nothing, not even itself.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

LONGEST = 20_000  # characters of a query
DEEPEST = 50  # parentheses, signs and negations inside one another
TOKEN = re.compile(
    r"""(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
    |(?P<name>[^\W\d]\w*)
    |`(?P<quoted>[^`]*)`
    |(?P<sign>==|!=|<=|>=|[<>&|~()\[\],+*/-])""",
    re.VERBOSE | re.DOTALL,
)
BLANK = re.compile(r"\s*")
ESCAPED = re.compile(r"\\(['\"\\])")
SYNONYMS = {"&": "and", "|": "or", "~": "not"}
WORDS = {"and", "or", "not", "in", "True", "False"}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SUMS: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub}
PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {"*": operator.mul, "/": np.true_divide}
KINDS = {"b": "truth values", "i": "numbers", "u": "numbers", "f": "numbers"}


class QueryError(ValueError):
    """An error in a query; ``position`` is the character, counted from 0."""

    def __init__(self, problem: str, position: int) -> None:
        self.position = position
        super().__init__(f"at character {position + 1}: {problem}")


def rows_where(query: str, columns: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """Return which rows of a table a query selects, shape (row,).

    Args:
        query: The query, as the module describes it.
        columns: Values of each column, shape (row,): numbers, truth values or texts.
        rows: Number of rows of the table.

    Raises:
        QueryError: The query cannot be read, or does not fit the columns.

    >>> columns = {"quality": np.array(["good", "bad", "good"]), "snr": np.array([3.0, 9.0, 1.0])}
    >>> rows_where("quality == 'good' and snr > 2", columns, 3).tolist()
    [True, False, False]
    >>> rows_where("snr in [1, 9]", columns, 3).tolist()
    [False, True, True]
    """
    if len(query) > LONGEST:
        raise QueryError(f"a query of {len(query)} characters; at most {LONGEST} are read", LONGEST)
    with np.errstate(all="ignore"):  # an invalid operation gives NaN, which equals nothing
        picked = _Reader(_tokens(query), columns, rows).whole()
    return np.broadcast_to(picked, rows).copy()


def names(query: str) -> set[str]:
    """Return the names of columns in a query, none if it cannot be read.

    >>> sorted(names("quality == 'good' and `peak channel` > 2"))
    ['peak channel', 'quality']
    """
    try:
        return {str(token.value) for token in _tokens(query[:LONGEST]) if token.kind == "column"}
    except QueryError:
        return set()  # :func:`rows_where` says why


class _Token(NamedTuple):
    kind: str  # number, text, column, a word or sign as it stands, or end
    value: Any
    position: int
    shown: str


def _tokens(query: str) -> list[_Token]:
    tokens, position = [], 0
    while (position := _after_blanks(query, position)) < len(query):
        match = TOKEN.match(query, position)
        if match is None:
            open_quote = query[position] in "'\"`"
            problem = "has no end" if open_quote else "has no meaning in a query"
            raise QueryError(f"{query[position : position + 20]!r} {problem}", position)
        tokens.append(_token(match))
        position = match.end()
    return [*tokens, _Token("end", None, len(query), "the end")]


def _after_blanks(query: str, position: int) -> int:
    blank = BLANK.match(query, position)
    assert blank is not None  # the pattern also matches the empty text
    return blank.end()


def _token(match: re.Match[str]) -> _Token:
    word_text, position, shown = match.group(), match.start(), repr(match.group()[:40])
    kind = match.lastgroup
    if kind == "number":
        return _Token(
            "value",
            int(word_text) if word_text.isdigit() and len(word_text) < 19 else float(word_text),
            position,
            shown,
        )
    if kind == "text":
        return _Token("value", ESCAPED.sub(r"\1", word_text[1:-1]), position, shown)
    if kind == "quoted":
        return _Token("column", match["quoted"], position, shown)
    word = SYNONYMS.get(word_text, word_text)
    if word in {"True", "False"}:
        return _Token("value", word == "True", position, shown)
    return _Token("column" if kind == "name" and word not in WORDS else word, word_text, position, shown)


class _Reader:
    """Parses a query once, from left to right, and computes its result.

    There is one method for each precedence of operators.
    """

    def __init__(self, tokens: list[_Token], columns: Mapping[str, np.ndarray], rows: int) -> None:
        self._tokens, self._columns, self._rows = tokens, columns, rows
        self._next, self._depth = 0, 0

    def whole(self) -> Any:
        """Return the truth value of the whole query for each row, or one for all rows."""
        picked = self._either()
        self._expect("end", "a comparison, and, or")
        return _truth(picked, self._tokens[0])

    def _either(self) -> Any:
        return self._joined("or", self._both, np.logical_or)

    def _expect(self, kind: str, wanted: str) -> None:
        if self._tokens[self._next].kind != kind:
            self._unexpected(wanted)
        self._next += 1

    def _both(self) -> Any:
        return self._joined("and", self._negated, np.logical_and)

    def _joined(self, word: str, part: Callable[[], Any], join: Callable[[Any, Any], Any]) -> Any:
        first, value = self._tokens[self._next], part()
        while self._tokens[self._next].kind == word:
            self._next += 1
            second = self._tokens[self._next]
            value = join(_truth(value, first), _truth(part(), second))
        return value

    def _negated(self) -> Any:
        if self._tokens[self._next].kind != "not":
            return self._compared()
        self._next += 1
        first = self._tokens[self._next]
        return np.logical_not(_truth(self._deeper(self._negated), first))

    def _compared(self) -> Any:
        value, result = self._sum(), None
        while (sign := self._comparison()) is not None:
            other = self._sum()
            held = _compare(sign, value, other)
            result, value = held if result is None else np.logical_and(result, held), other
        return value if result is None else result

    def _comparison(self) -> _Token | None:
        """Return the next token if it is a comparison; ``not in`` is one."""
        token = self._tokens[self._next]
        if token.kind == "not" and self._tokens[self._next + 1].kind == "in":
            self._next += 2
            return token._replace(kind="not in")
        if token.kind not in COMPARED and token.kind != "in":
            return None
        self._next += 1
        return token

    def _sum(self) -> Any:
        return self._computed(SUMS, lambda: self._computed(PRODUCTS, self._signed))

    def _computed(self, signs: Mapping[str, Callable[[Any, Any], Any]], part: Callable[[], Any]) -> Any:
        value = part()
        while (sign := self._tokens[self._next]).kind in signs:
            self._next += 1
            value = signs[sign.kind](_number(value, sign), _number(part(), sign))
        return value

    def _signed(self) -> Any:
        token = self._tokens[self._next]
        if token.kind not in SUMS:
            return self._operand()
        self._next += 1
        value = _number(self._deeper(self._signed), token)
        return -value if token.kind == "-" else value

    def _operand(self) -> Any:
        token = self._tokens[self._next]
        if token.kind not in {"value", "column", "(", "["}:
            self._unexpected("a column or a value")
        self._next += 1
        if token.kind == "value":
            return token.value
        if token.kind == "column":
            return self._column(token)
        return self._deeper(self._list) if token.kind == "[" else self._deeper(self._in_parentheses)

    def _in_parentheses(self) -> Any:
        """Return the value of a part in parentheses, which may be a list."""
        value = self._either()
        if self._tokens[self._next].kind == ",":
            self._next += 1
            return [self._element(value, self._tokens[self._next - 2]), *self._elements(")")]
        self._expect(")", "')'")
        return value

    def _list(self) -> list[Any]:
        return self._elements("]")

    def _elements(self, closing: str) -> list[Any]:
        held = []
        while self._tokens[self._next].kind != closing:
            first = self._tokens[self._next]
            held.append(self._element(self._signed(), first))
            if self._tokens[self._next].kind != closing:
                self._expect(",", "a comma")
        self._next += 1
        return held

    def _element(self, value: Any, token: _Token) -> Any:
        if isinstance(value, np.ndarray | list):
            raise QueryError(f"{token.shown} in a list, which holds numbers, texts, True and False", token.position)
        return value

    def _column(self, token: _Token) -> np.ndarray:
        if token.value in self._columns:
            return _values(self._columns[token.value])
        if token.value == "index":
            return np.arange(self._rows)
        near = difflib.get_close_matches(token.value[:100], [*list(self._columns)[:1000], "True", "False"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise QueryError(f"no column {token.value[:100]!r}{hint}", token.position)

    def _deeper(self, part: Callable[[], Any]) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            position = self._tokens[self._next].position
            raise QueryError(f"more than {DEEPEST} parentheses or signs inside one another", position)
        value = part()
        self._depth -= 1
        return value

    def _unexpected(self, wanted: str) -> None:
        token = self._tokens[self._next]
        after = self._tokens[self._next - 1].kind if self._next else ""
        if token.kind == "(" and after == "column":
            raise QueryError("nothing can be called in a query", token.position)
        raise QueryError(f"{token.shown} where {wanted} is expected", token.position)


def _values(column: np.ndarray) -> np.ndarray:
    """Return a column as numbers, truth values or an array of ``str``."""
    column = np.asarray(column)
    if column.dtype.kind in KINDS:
        return column
    held = column.tolist()
    if held and all(isinstance(value, bool) for value in held):
        return np.array(held, dtype=bool)
    return np.array([value if isinstance(value, str) else "" for value in held], dtype=object)


def _kind(value: Any) -> str:
    """Return the kind of a value, or of the elements of a list, in words."""
    if isinstance(value, list):
        return " and ".join(sorted({_kind(element) for element in value})) or "nothing"
    return "texts" if isinstance(value, str) else KINDS.get(np.asarray(value).dtype.kind, "texts")


def _truth(value: Any, token: _Token) -> Any:
    if isinstance(value, list) or _kind(value) != "truth values":
        kind = "a list" if isinstance(value, list) else _kind(value)
        raise QueryError(f"{kind} where a comparison is expected; write {token.shown} == ...", token.position)
    return value


def _number(value: Any, sign: _Token) -> Any:
    if isinstance(value, list) or _kind(value) != "numbers":
        kind = "a list" if isinstance(value, list) else _kind(value)
        raise QueryError(f"{kind} beside {sign.shown}, which computes with numbers", sign.position)
    return value if isinstance(value, float) else np.asarray(value, dtype=np.float64)


def _compare(sign: _Token, left: Any, right: Any) -> Any:
    """Compare two columns or values; ``== [...]`` means ``in [...]``."""
    if isinstance(left, list):
        raise QueryError("a list stands on the right of a comparison", sign.position)
    if sign.kind in {"in", "not in"} and not isinstance(right, list | np.ndarray):
        raise QueryError("in needs a list, such as ['a', 'b']", sign.position)
    kinds = {_kind(left), *_kind(right).split(" and ")} - {"nothing"}
    if "texts" in kinds and len(kinds) > 1:
        advice = "put texts in quotes, and numbers not"
        raise QueryError(f"{sign.kind} between {_kind(left)} and {_kind(right)}: {advice}", sign.position)
    if sign.kind in {"in", "not in"} or isinstance(right, list):
        return _among(sign, left, right)
    return COMPARED[sign.kind](np.asarray(left), np.asarray(right)).astype(bool)


def _among(sign: _Token, left: Any, right: Any) -> Any:
    if sign.kind not in {"in", "not in", "==", "!="}:
        raise QueryError(f"{sign.shown} cannot compare with a list", sign.position)
    held = set(right if isinstance(right, list) else right.tolist())
    matches = np.array([value in held for value in np.atleast_1d(np.asarray(left)).tolist()], dtype=bool)
    return matches if sign.kind in {"in", "=="} else ~matches
