"""The speed of training and attribution beside CEBRA 0.6.1, and its share of what the machine can do.

Ours and CEBRA take turns in one run on the same data; a ratio is taken within a round. Nothing else should run.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xcebra_nwb.attribution.map_bins import one_of_each_stretch
from xcebra_nwb.benchmark import cebra_peer, synthetic
from xcebra_nwb.benchmark.case import HYBRID, PEER, Budget
from xcebra_nwb.benchmark.metrics import row_auroc
from xcebra_nwb.benchmark.solve import label_blocks, latent_truth
from xcebra_nwb.benchmark.speed.ours import least, ours
from xcebra_nwb.benchmark.speed.peer import peer
from xcebra_nwb.benchmark.speed.stopwatch import Ceiling, block, ceiling, finished, in_turn, quartiles
from xcebra_nwb.benchmark.speed.work import SAMPLES, Work, works
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.core.config.schema import Method
from xcebra_nwb.training.design.prepare import prepare
from xcebra_nwb.training.memory import peak_bytes
from xcebra_nwb.training.trained_ensemble import contrast, options
from xcebra_nwb.xcebra.maps.generator_support import METHOD as SUPPORT
from xcebra_nwb.xcebra.maps.maps import Sampling, attribute
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import one_thread
from xcebra_nwb.xcebra.sampling.windows import TRAIN
from xcebra_nwb.xcebra.trainers import contrastive

logger = logging.getLogger("xcebra_nwb")
OURS = "ours"
LEAST = {  # steps, bins of a block; on a card a step is recorded before it is replayed
    "cpu": {"training": 16, "attribution": 50},
    "cuda": {"training": 2_000, "attribution": 50},
}
MOST = {"cpu": {"training": 5_000, "attribution": 10_000}, "cuda": {"training": 50_000, "attribution": 900_000}}
RATIOS = {"wall": "ratio", "processor": "processor_ratio"}
LEAST_OF_PEER = {"training": 1, "attribution": 50}


@dataclass(frozen=True)
class Size:
    """How long the benchmark measures."""

    rounds: int
    seconds: float  # of a block


LATENTS, CUT, FIRST = 6, 0.05, "inverted_neuron_gradient"
QUALITY = {
    "quick": replace(synthetic.DESIGNS["quick"], budget=Budget(20, 256, 1e-3)),
    "reduced": replace(synthetic.DESIGNS["quick"], budget=Budget(1_500, 512, 1e-3, decay=0.5), samples=20_000),
    "full": synthetic.DESIGNS["reduced"],
}
SIZES = {"quick": Size(2, 0.05), "reduced": Size(7, 1.0), "full": Size(15, 2.0)}


def measure(size: str, device: torch.device) -> tuple[pd.DataFrame, pd.DataFrame, Ceiling]:
    """Measure every piece of work and every attribution method.

    Args:
        size: quick, reduced or full.
        device: where to do it.

    Returns:
        A row for each piece of work, a row for each method's cost and quality, and the machine's ceiling.
    """
    top, rows, wanted = ceiling(device), [], works(size, device.type)
    for number, work in enumerate(wanted, 1):
        rows.append(asdict(work) | {"name": work.name} | measured(work, SIZES[size], top, device))
        logger.info("%d of %d: %s", number, len(wanted), work.name)
    return pd.DataFrame(rows), pd.DataFrame(quality(size, device)), top


def machine(device: torch.device, top: Ceiling) -> str:
    """Return the machine in a line.

    Args:
        device: where was measured.
        top: the machine's ceiling.
    """
    products, copies = top.products / 1e9, top.copies / 1e9
    without = "" if cebra_peer.installed() else f"; {PEER} {cebra_peer.MISSING}"
    cores, core = f"{torch.get_num_threads()} of {os.cpu_count()} CPU cores", "a core"
    if device.type == "cuda":
        cores, core = f"{torch.cuda.get_device_name(device)} beside {cores}", "it"
    return (
        f"{cores}, torch {torch.__version__}; {core} at its best {products:.0f} GFLOP/s in a product of matrices and "
        f"{copies:.0f} GB/s in a copy{without}"
    )


def measured(work: Work, size: Size, top: Ceiling, device: torch.device) -> dict[str, Any]:
    """Return the rates, the ratios to the peer and the memory of one piece of work.

    Args:
        work: what to do.
        size: how long to measure.
        top: the machine's ceiling.
        device: where to do it.
    """
    our_work = ours(work, device)
    least_done, most = LEAST[device.type][work.kind], MOST[device.type][work.kind]
    most = most if work.kind == "training" else work.bins if work.sampled else min(most, work.bins // 2)
    blocks = {OURS: block(our_work, size.seconds, least_done, most)}
    with one_thread():  # the tensors of others are not seen
        row: dict[str, Any] = {"memory": peak_bytes(lambda: our_work(least_done), device)}
    if work.peer and cebra_peer.installed():
        blocks[PEER] = block(peer(work, device), size.seconds, LEAST_OF_PEER[work.kind], most)
    rates = in_turn(blocks, size.rounds)
    by_wall, by_processor = (work.members * float(np.median(rate)) for rate in rates[OURS])
    row |= {"rate": by_wall}
    kinds = ("wall", "processor") if device.type == "cpu" else ("wall",)
    if PEER in rates:
        row |= {"peer_rate": float(np.median(rates[PEER].wall))}
        for kind in kinds:
            name = RATIOS[kind]
            low, middle, high = quartiles(work.members * getattr(rates[OURS], kind) / getattr(rates[PEER], kind))
            row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    floor = least(work)
    own_rate = by_processor if device.type == "cpu" else by_wall
    return row | ({} if floor is None else {"ceiling_share": top.seconds(*floor) * own_rate})


def quality(size: str, device: torch.device) -> list[dict[str, Any]]:
    """Return the cost and the quality of every method, for one trained encoder.

    The data are those of the benchmark ``synthetic``. The methods of the Jacobian are computed at all bins, the others
    at 500 of them. The inverted neuron gradient is computed at samples of the bins too. ``error`` is the distance
    between this label map and that of all bins, as a share of the latter's length.

    Args:
        size: quick, reduced or full.
        device: where to do it.
    """
    task = synthetic.task(QUALITY[size], LATENTS, 0, HYBRID, 0.1)
    ready, inputs = prepare(task.session, task.config), torch.as_tensor(encoder_input(task.session), device=device)
    fit = contrastive.train(
        inputs, ready.shape, ready.blocks, ready.samples(TRAIN), ready.generators(task.config), options(task.config)
    )
    blocks, bins = label_blocks(task.config), ready.split.bins
    model = Model(inputs, ready.shape, fit.layers, blocks, contrast(task.config.training))

    def row(method: str, at: NDArray[np.int64]) -> tuple[dict[str, Any], NDArray[np.float64]]:
        sampling = Sampling(np.random.default_rng(0))
        seconds, found = _timed(finished(lambda: attribute(model, at, CUT, [method], sampling=sampling), device))
        auroc = row_auroc(found.latent[method][0], latent_truth(blocks, task.carries, found.latent[method].shape[1:]))
        return {"method": method, "bins": len(at), "seconds": seconds, "row_auroc": auroc}, found.label[method][0]

    of_all = {method: row(method, bins) for method in get_args(Method) if method != SUPPORT}
    whole, rows = of_all[FIRST][1], [about for about, _ in of_all.values()]
    for count in SAMPLES:
        sampled, some = row(FIRST, one_of_each_stretch(bins, count, np.random.default_rng(0)))
        rows.append(sampled | {"error": float(np.linalg.norm(some - whole) / np.linalg.norm(whole))})
    return rows


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = perf_counter()
    result = work()
    return perf_counter() - started, result
