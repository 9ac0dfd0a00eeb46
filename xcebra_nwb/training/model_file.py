"""model.safetensors: the weights of all members, stacked, never pickled."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic, check_file
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer


def save(layers: list[Layer], shape: Architecture, path: Path) -> None:
    """Write weights (member, kernel * inputs, outputs) and biases (member, 1, outputs) of every layer."""
    tensors = {}
    for number, (weight, bias) in enumerate(layers):
        tensors[f"layers.{number}.weight"] = weight.cpu().contiguous()
        tensors[f"layers.{number}.bias"] = bias.cpu().contiguous()
    with atomic(path) as temporary:
        temporary.write_bytes(serialize(tensors, metadata={"architecture": json.dumps(asdict(shape))}))


def load(path: Path, device: torch.device) -> tuple[Architecture, list[Layer]]:
    """Return the architecture and the layers of a model file.

    Raises:
        UsageError: no such file, or not one that :func:`save` wrote.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as stored:
            fields = json.loads(stored.metadata()["architecture"])
            fields |= {name: tuple(fields[name]) for name in ("kernels", "residual")}
            shape = Architecture(**fields)
            layers = [
                (stored.get_tensor(f"layers.{n}.weight"), stored.get_tensor(f"layers.{n}.bias"))
                for n in range(len(shape.kernels))
            ]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "run train first") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a model file: {error}", "delete it and run train again") from None
    return shape, layers
