"""A digest of the code that a verb runs, so that a workflow sees when a result is older than the code that made it.

It covers the syntax trees, docstrings removed, of the verb's module and of every module of the package that it imports,
directly or not: a changed comment changes nothing, a changed constant changes exactly the verbs that use it.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
NAME = __package__ or "xcebra_nwb"


@cache
def fingerprint(verb: str) -> str:
    """Return the digest of the verb's code, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for module in sorted(_closure(f"{NAME}.verbs.{verb}")):
        digest.update(module.encode() + ast.dump(_tree(module)).encode())
    return digest.hexdigest()[:16]


def _closure(start: str) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_imports(module))
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    """The package's own modules that ``module`` imports, anywhere in its text."""
    named: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in named if name.startswith(NAME) and _file(name) is not None)


@cache
def _tree(module: str) -> ast.Module:
    file = _file(module)
    assert file is not None, module
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree


def _file(module: str) -> Path | None:
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.exists():
            return candidate
    return None
