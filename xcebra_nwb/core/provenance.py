"""Provenance of an output: software versions, and digests of the config and of the code."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from xcebra_nwb.core import remembered
from xcebra_nwb.core.installation import PACKAGE

PACKAGES = ("xcebra-nwb", "torch", "numpy", "scipy", "scikit-learn", "xarray", "h5py", "pynwb", "nwbinspector")
NAME = PACKAGE.name


def software() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {package: version_of(package) for package in PACKAGES}


@cache
def version_of(package: str) -> str:
    """Return the installed version; to parse its metadata takes as long as to read a small recording."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def digest(content: Any) -> str:
    """Return the SHA-256 of JSON-able content, independent of the order of its keys.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def fingerprint(command: str) -> str:
    """Return a digest of the code of a command, 16 hexadecimal digits.

    It covers all modules of the package that the command imports, without docstrings and comments. To parse them takes
    seconds, and every job of a workflow asks for it, so it is remembered beside the digest of all files.
    """
    code = _code()
    known = remembered.fingerprints(code)
    if command in known:
        return known[command]
    computed = _compute(command)
    if _digest_of_files() == code:  # nobody has edited the files since
        remembered.save(code, {**known, command: computed})
    return computed


@cache
def _code() -> str:
    """Return the digest of all modules when this process first asked."""
    return _digest_of_files()


def _digest_of_files() -> str:
    """Return a digest of the names and the bytes of all modules, and of the version of Python that parses them."""
    digest = hashlib.sha256(platform.python_version().encode())
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _compute(command: str) -> str:
    digest = hashlib.sha256()
    for module in sorted(_closure(f"{NAME}.commands.{command}")):
        digest.update(module.encode() + _read(module).digest)
    return digest.hexdigest()[:16]


def _closure(start: str) -> set[str]:
    """Return a module and all modules of the package that it imports."""
    modules, waiting = set[str](), [start]
    while waiting:
        module = waiting.pop()
        if module not in modules:
            modules.add(module)
            waiting.extend(_read(module).imports)
    return modules


class _Module(NamedTuple):
    """The parts of a module that count for a fingerprint.

    Results are cached, since a workflow asks for several commands that share most modules.
    """

    imports: frozenset[str]  # modules of the package that it imports, anywhere in its text
    digest: bytes  # of its syntax tree without docstrings


@cache
def _read(module: str) -> _Module:
    file = _file(module)
    assert file is not None, module
    tree, imported = ast.parse(file.read_text(encoding="utf-8")), set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                match node.body:
                    case [ast.Expr(value=ast.Constant()), *rest]:
                        node.body = rest
            case ast.Import():
                imported |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(start)):
                imported |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    imports = frozenset(name for name in imported if name.startswith(NAME) and _file(name) is not None)
    return _Module(imports, hashlib.sha256(ast.dump(tree).encode()).digest())


def _file(module: str) -> Path | None:
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.exists():
            return candidate
    return None
