"""Hostile texts in every place where a file or a config can hold one: nothing runs, and lines stay lines.

The threat model (SECURITY.md) says who may give us what. Here every place of a file and of a config meets every kind of
payload, on the command line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from tests.support import nwb_builders
from tests.support.command_line import run
from xcebra_nwb.core import session_table

MARK = "ran-as-code"
PAYLOADS = {
    "shell": f"$(touch {MARK})`touch {MARK}`; touch {MARK} | touch {MARK} &",
    "html": f"<script>fetch('{MARK}')</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(2)>",
    "template": "{{ 7*7 }}{% raw %}${7*7}#{7*7}<%= 7*7 %>",
    "terminal": "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m\r",
    "bidi": "\u202egpj.\u2066exe\u2069\u200b\ufeff",
    "traversal": f"../../../{MARK}",
    "format": "{0.__class__.__mro__}{wildcards.session}%s%n%(x)s{session:>99999999}",
    "formula": "=cmd|' /C calc'!A1",
    "lines": "a\nxcebra-nwb: done\r\n\tb\u2028c\u0085d",
    "long": "x" * 60_000,
    "python": f"__import__('os').system('touch {MARK}')",
    "yaml": f"!!python/object/apply:os.system ['touch {MARK}']",
    "mathtext": r"$\frac{$\input{/etc/passwd}_{^{$",
    "option": "--config=/etc/passwd",
    "not text": b"\xff\xfe\x00\xd8".decode("utf-8", "surrogateescape"),
}
Put = Callable[[h5py.File, str], None]


def _attribute(path: str, name: str) -> Put:
    def put(h5: h5py.File, text: str) -> None:
        h5[path].attrs[name] = _stored(text)

    return put


def _scalar(path: str) -> Put:
    def put(h5: h5py.File, text: str) -> None:
        if path in h5:
            del h5[path]
        h5.create_dataset(path, data=_stored(text), dtype=h5py.string_dtype())

    return put


def _column(path: str) -> Put:
    def put(h5: h5py.File, text: str) -> None:
        values, attrs = h5[path][()], dict(h5[path].attrs)
        del h5[path]
        said = [_stored(text)] * len(values)
        h5.create_dataset(path, data=said, dtype=h5py.string_dtype()).attrs.update(attrs)

    return put


def _name(path: str) -> Put:
    """The name of an object: everything that a name may hold, which is no slash and no NUL."""

    def put(h5: h5py.File, text: str) -> None:
        parent, _, _ = path.rpartition("/")
        fit = _stored(text)[:60_000].replace(b"/", b"|").replace(b"\0", b"") or b"x"
        group = h5[parent].id
        group.links.move(path.rpartition("/")[2].encode(), group, fit)

    return put


def _stored(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").replace(b"\0", b"")


PLACES: dict[str, Put] = {
    "subject": _scalar("/general/subject/subject_id"),
    "session": _scalar("/general/session_id"),
    "description": _scalar("/session_description"),
    "identifier": _scalar("/identifier"),
    "region": _column("/units/location"),
    "classes": _column("/intervals/trials/choice"),
    "column": _name("/units/location"),
    "trial column": _name("/intervals/trials/choice"),
    "unit of measure": _attribute("/processing/behavior/Position/position/data", "unit"),
    "label": _name("/processing/behavior/Position/position"),
    "module": _name("/processing/behavior"),
}
REFUSED: dict[str, Put] = {  # places where a text that is not as it must be keeps the file from being read any further
    "start": _scalar("/session_start_time"),
    "type": _attribute("/processing/behavior/Position/position", "neurodata_type"),
    "version": lambda h5, text: h5.attrs.__setitem__("nwb_version", _stored(text)),
    "column names": lambda h5, text: h5["/intervals/trials"].attrs.__setitem__("colnames", [_stored(text)]),
}
ROUNDS = (
    [  # in as many files as there are payloads, every place meets every payload
        dict(zip(PLACES, (list(PAYLOADS) * 2)[start:], strict=False)) for start in range(len(PAYLOADS))
    ]
    + [{place: payload} for place in REFUSED for payload in PAYLOADS]
)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nwb = nwb_builders.new("tiny", "rat")
    times, position = nwb_builders.wandering(40.0, np.random.default_rng(1))
    nwb_builders.add_units(nwb, nwb_builders.steady_spikes(stop=40.0, rate=8), location=["CA1"] * 4)
    nwb_builders.add_position(nwb, times, position, name="position")
    starts = np.arange(1.0, 37.0, 3.0)
    nwb_builders.add_intervals(nwb, "trials", np.stack([starts, starts + 2], axis=1), choice=["l", "r"] * 6)
    return nwb_builders.save(nwb, tmp_path_factory.mktemp("ordinary") / "x.nwb")


@pytest.mark.parametrize("texts", ROUNDS, ids=lambda texts: f"{next(iter(texts))}-{next(iter(texts.values()))}")
def test_hostile_texts_in_a_file_are_texts(
    texts: dict[str, str],
    ordinary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.nwb").write_bytes(ordinary.read_bytes())
    with h5py.File("x.nwb", "r+") as h5:
        for place, payload in texts.items():
            (PLACES | REFUSED)[place](h5, PAYLOADS[payload])
    for command in (
        ["inspect", "x.nwb"],
        ["discover", "x.nwb", "-o", "t.tsv"],
        ["extract", "x.nwb", "out/sub-a_ses-1"],
    ):
        code, out, errors = run(capsys, *command)
        check_ending(code, out, errors)
    (row,) = session_table.read("t.tsv")
    assert len(Path("t.tsv").read_bytes().splitlines()) == 2 and len(row.session) < 200
    check_folder(tmp_path, {"x.nwb", "t.tsv", "out"})
    for file in Path("out").rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"))


def test_a_program_gets_the_text_as_it_is_and_no_other(
    ordinary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.nwb").write_bytes(ordinary.read_bytes())
    with h5py.File("x.nwb", "r+") as h5:
        PLACES["session"](h5, PAYLOADS["html"])
    code, out, _ = run(capsys, "inspect", "x.nwb", "--json")
    assert code == 0 and json.loads(out)["file"]["session_id"] == PAYLOADS["html"]


CONFIG_KEYS = (
    "neural.source",
    "neural.where",
    "neural.rows",
    "time.within",
    "labels",
    "label source",
    "unknown key",
    "device",
)
CONFIGS = [
    (key, payload)
    for number, key in enumerate(CONFIG_KEYS)
    for payload in ([name for name in PAYLOADS if name != "not text"] * 2)[2 * number :][:6]
]


def _config(key: str, text: str) -> Any:
    return {
        "neural.source": {"neural": {"source": text}},
        "neural.where": {"neural": {"where": text}},
        "neural.rows": {"neural": {"rows": text}},
        "time.within": {"time": {"within": f"/intervals/trials: {text}"}},
        "labels": {"labels": {text: {"source": "/processing/behavior/Position/position"}}},
        "label source": {"labels": {"a": {"source": text}}},
        "unknown key": {text: 1},
        "device": {"training": {"device": text}},
    }[key]


@pytest.mark.parametrize(("key", "payload"), CONFIGS)
def test_a_hostile_value_of_a_config_is_refused_in_one_line(
    key: str,
    payload: str,
    ordinary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.nwb").write_bytes(ordinary.read_bytes())
    Path("c.yaml").write_text(yaml.safe_dump(_config(key, PAYLOADS[payload])), encoding="utf-8")
    code, out, errors = run(capsys, "extract", "x.nwb", "out/sub-a_ses-1", "-c", "c.yaml")
    assert code in (2, 3)
    check_ending(code, out, errors)
    check_folder(tmp_path, {"x.nwb", "c.yaml", "out"})


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['touch ran-as-code']", "a: &a [*a]", "- 1\n- 2", "[[["]
)
def test_a_hostile_yaml_is_refused_in_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)
    code, out, errors = run(capsys, "extract", "x.nwb", "out/sub-a_ses-1", "-c", "c.yaml")
    assert code == 2
    check_ending(code, out, errors)
    check_folder(tmp_path, {"c.yaml", "out"})


def check_ending(code: int, out: str, errors: str) -> None:
    """Whatever a file says, a command ends with a code of the contract, and its lines can be printed."""
    assert code in (0, 1, 2, 3)
    said = [line for line in errors.splitlines() if line.startswith("xcebra-nwb:")]
    assert len(said) == (code != 0), errors[-2000:]
    assert "unexpected" not in errors and "Traceback" not in errors, errors[-2000:]
    for line in [*out.split("\n"), *errors.split("\n")]:
        assert not [c for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}], ascii(line)[:500]
        assert len(line) < 5000, ascii(line)[:500]


def check_folder(folder: Path, expected: set[str]) -> None:
    """Nothing ran, and nothing lies where it should not."""
    assert {path.name for path in folder.iterdir()} <= expected
    names = [path.name for path in folder.rglob("*")]
    assert not [name for name in names if name.startswith(MARK)]
    assert not [above for above in folder.parents if (above / MARK).exists()]
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]+", name) for name in names), names
