"""Ways to damage an NWB file, one a function: each takes the path of the file and a generator of choices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Mutation = Callable[[Path, np.random.Generator], None]
MUTATIONS: dict[str, Mutation] = {}
HUGE = 10**12
ODD_VALUES = (np.nan, np.inf, -np.inf, 1e300, -1e300, -1.0, 0.0, 1.5e9)
ODD_ATTRIBUTES: tuple[Any, ...] = (
    np.nan, np.inf, 0.0, -1.0, 1e300, "text", "", b"\xff\xfe", [1.0, 2.0], [], 2**62, True, ["a", "b"],
    h5py.Empty("f8"),
)  # fmt: skip
ODD_TYPES = ("f4", "f2", "i1", "u8", "c16", "S3", "bool", "text", "pairs", "reference", "void", "ragged", "f16")


def mutation(function: Mutation) -> Mutation:
    """Register a way to damage a file."""
    MUTATIONS[function.__name__] = function
    return function


def damage(path: Path, seed: int) -> list[str]:
    """Damage the HDF5 file at ``path`` in one to three ways, the same for the same seed, and return their names."""
    rng = np.random.default_rng(seed)
    chosen = [str(name) for name in rng.choice(sorted(set(MUTATIONS) - LAST), size=int(rng.integers(1, 4)))]
    if rng.random() < 0.3:  # bytes go last: the file may not open any more
        chosen = [*chosen[:1], str(rng.choice(sorted(LAST)))]
    for name in chosen:
        MUTATIONS[name](path, rng)
    return chosen


def _items(h5: h5py.File, kind: type) -> list[str]:
    """Return the names of the objects of one kind, without the cached specifications, which nobody reads."""
    names: list[str] = []
    h5.visititems(lambda name, item: names.append(name) if isinstance(item, kind) else None)
    return sorted(name for name in names if not name.startswith("specifications"))


def _pick(choices: list[Any], rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _replace(h5: h5py.File, name: str, **content: Any) -> None:
    """Replace the content of a dataset, and keep its attributes."""
    attributes = dict(h5[name].attrs)
    del h5[name]
    data = h5.create_dataset(name, **content)
    for key, value in attributes.items():
        data.attrs[key] = value


# Bytes
# -----


@mutation
def flipped(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for position in rng.integers(len(content), size=int(rng.integers(1, 65))):
        content[position] = int(rng.integers(256))
    path.write_bytes(bytes(content))


@mutation
def flipped_in_names_and_headers(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    positions = [at for word in (b"OHDR", b"TREE", b"SNOD", b"HEAP", b"GCOL") for at in _positions(content, word)]
    for position in rng.choice(positions or [0], size=int(rng.integers(1, 5))):
        content[min(int(position) + int(rng.integers(120)), len(content) - 1)] = int(rng.integers(256))
    path.write_bytes(bytes(content))


def _positions(content: bytearray, word: bytes) -> list[int]:
    positions, at = [], content.find(word)
    while at >= 0:
        positions.append(at)
        at = content.find(word, at + 1)
    return positions


@mutation
def truncated(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content)))])


LAST = {"flipped", "flipped_in_names_and_headers", "truncated"}


# Objects of HDF5
# ---------------


@mutation
def removed(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        del h5[_pick(_items(h5, object), rng)]


@mutation
def renamed(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, object), rng)
        h5.move(name, _pick([f"{name}_index", f"{name} é:", "units2", f"processing/{name.replace('/', '_')}"], rng))


@mutation
def retyped(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, h5py.Dataset), rng)
        _replace(h5, name, **_of_type(h5, _pick(list(ODD_TYPES), rng), h5[name].shape or ()))


def _of_type(h5: h5py.File, kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    special = {
        "text": h5py.string_dtype(),
        "pairs": np.dtype([("a", "f8"), ("b", "i4")]),
        "reference": h5py.ref_dtype,
        "void": np.dtype("V5"),
        "ragged": h5py.vlen_dtype("f8"),
    }
    return {"shape": shape, "dtype": special.get(kind, kind)}


@mutation
def reshaped(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, h5py.Dataset), rng)
        values = np.atleast_1d(h5[name][()])
        shapes = [values[:-1], values[:0], np.concatenate([values, values]), values[None], values[..., None]]
        shapes += [values.T, values.reshape(-1)[0], np.stack([values] * 3, axis=-1)]
        _replace(h5, name, data=_pick(shapes, rng), dtype=h5[name].dtype)


@mutation
def emptied(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, h5py.Dataset), rng)
        _replace(h5, name, data=h5py.Empty("f8"))


@mutation
def swapped_for_a_group(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, object), rng)
        was_group = isinstance(h5[name], h5py.Group)
        del h5[name]
        if was_group:
            h5[name] = np.arange(3.0)
        else:
            h5.create_group(name)


@mutation
def declared_huge(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, h5py.Dataset), rng)
        dtype, shape = h5[name].dtype, h5[name].shape or ()
        _replace(h5, name, shape=(HUGE, *shape[1:]), dtype=dtype, chunks=(1000, *shape[1:]))


@mutation
def odd_values(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        names = [n for n in _items(h5, h5py.Dataset) if h5[n].dtype.kind in "iuf" and h5[n].size]
        values = np.array(h5[name := _pick(names, rng)][()])
        flat = values.reshape(-1)
        for index in rng.integers(flat.size, size=int(rng.integers(1, 6))):
            odd = _pick(list(ODD_VALUES), rng)
            flat[index] = odd if values.dtype.kind == "f" else rng.integers(np.iinfo(values.dtype).max, dtype="u8")
        _replace(h5, name, data=values)


# Attributes and links
# --------------------


@mutation
def attribute_gone(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name, key = _attribute(h5, rng)
        del h5[name].attrs[key]


@mutation
def attribute_odd(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name, key = _attribute(h5, rng)
        del h5[name].attrs[key]
        h5[name].attrs[key] = _pick(list(ODD_ATTRIBUTES), rng)


def _attribute(h5: h5py.File, rng: np.random.Generator) -> tuple[str, str]:
    every = [(name, key) for name in ["/", *_items(h5, object)] for key in h5[name].attrs]
    return _pick(sorted(every), rng)


@mutation
def linked(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        name = _pick(_items(h5, object), rng)
        del h5[name]
        parent = "/" + name.rpartition("/")[0]
        targets = [h5py.SoftLink(f"/{name}"), h5py.SoftLink(parent), h5py.SoftLink("/nowhere"), h5py.SoftLink("/")]
        targets += [h5py.ExternalLink("missing.nwb", "/units"), h5py.ExternalLink(path.name, f"/{name}")]
        h5[name] = _pick(targets, rng)


@mutation
def hard_circle(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        group = _pick(_items(h5, h5py.Group), rng)
        h5[f"{group}/round"] = h5[_pick([group, "/", group.rpartition("/")[0] or "/"], rng)]


# Zarr
# ----


def damage_zarr(folder: Path, seed: int) -> list[str]:
    """Damage one to three files of the Zarr folder, the same for the same seed, and return their names."""
    rng = np.random.default_rng(seed)
    (folder / ".zmetadata").unlink(missing_ok=bool(rng.random() < 2))
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "specifications" not in p.parts)
    done = []
    for _ in range(int(rng.integers(1, 4))):
        path = _pick(files, rng)
        done.append(f"{path.relative_to(folder)}")
        if not path.exists():
            continue
        if path.name.startswith(".") and rng.random() < 0.8:
            _damage_json(path, rng)
        else:
            _pick([truncated, flipped, lambda p, _: p.unlink()], rng)(path, rng) if path.stat().st_size else None
    return done


def _damage_json(path: Path, rng: np.random.Generator) -> None:
    content = json.loads(path.read_text())
    if content:
        odd = [None, "text", -1, 0, [], {}, [HUGE], [0], 1e300, True, "|O", "<f2", [{"id": "pickle"}], {"id": "zlib"}]
        odd += [{"value": {"path": "/nowhere", "source": "."}, "zarr_dtype": "object"}]
        content[_pick(sorted(content), rng)] = _pick(odd, rng)
    path.write_text(json.dumps(content))
