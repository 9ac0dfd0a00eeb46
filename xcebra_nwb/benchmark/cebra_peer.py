"""CEBRA 0.6.1 on the tasks of a benchmark: its own training and attribution, our metrics.

Data, steps and batch are the same as ours. CEBRA is called, never copied, and comes with the extra ``bench``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import JobContext, Task
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.solve import Maps, embedding_scores, label_blocks, map_scores, objectives_of
from xcebra_nwb.benchmark.table import MAP_SECONDS, TRAIN_SECONDS
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.session import labels
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.xcebra.decoding import decoding_score
from xcebra_nwb.xcebra.maps.maps import sampled
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN

ENCODER = "offset1-model-mse-clip-5-5"  # the paper's
NEEDED = ("cebra", "cvxpy")  # its attribution imports the second
METHODS = {"inverted_neuron_gradient": "jf-inv-svd", "neuron_gradient": "jf"}  # our name: CEBRA's
MISSING = 'not installed: pip install "xcebra-nwb[bench]"'
READ = ("continuous", "circular")  # kinds of labels that its loader of several objectives can read
JACOBIAN_BATCH = 1000
SCORED_BINS = 10_000  # evenly over the session: it inverts in a Python loop


def peer_scores(context: JobContext, task: Task) -> list[Score]:
    """Return CEBRA's scores on a task; the rows say so if it is not installed.

    CEBRA uses the Euclidean similarity and outputs clipped at 5.

    Args:
        context: of the job.
        task: the session, how to train on it, and its truth.
    """
    blocks = label_blocks(task.config)
    if not installed():
        return [{"method": method, "label": block.name, "note": MISSING} for method in METHODS for block in blocks]
    torch.set_num_threads(context.threads)
    torch.manual_seed(task.config.random_seed)  # it takes no seed of its own
    inputs = torch.as_tensor(encoder_input(task.session))
    bins = np.arange(len(inputs))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it configures
        importlib.import_module(NEEDED[0])  # before the clock starts
        began = process_time()
        model = _train(inputs, task)
        trained = process_time()
        maps, usable = _maps(model, inputs[sampled(bins, SCORED_BINS)], blocks)
        seconds = {TRAIN_SECONDS: trained - began, MAP_SECONDS: process_time() - trained}
    with torch.no_grad():
        latents = model(inputs[:, :, None]).numpy()
    about = {b.name: embedding_scores(task, b, latents, bins) | {"usable": usable} | seconds for b in blocks}
    return [score | about[score["label"]] for score in map_scores(maps, blocks, task.carries)]


def peer_decoding(session: xr.Dataset, config: Config, threads: int) -> list[Score]:
    """Return how well CEBRA's latents of held-out bins tell the labels of a session, as ``assess`` scores ours.

    CEBRA is trained on the training bins, which it takes for one stretch of time. It reads angles as points of a
    circle. Discrete labels and events are no rows, because its loader of several objectives reads none.

    Args:
        session: the session dataset.
        config: ``objectives: auto``; the steps, the batch and the rate are used.
        threads: CPU threads.
    """
    split = split_session(session, config)
    kinds = {name: label.attrs["kind"] for name, label in labels(session).items()}
    objectives = [o for o in resolve(config, session, split)[0] if o.label is None or kinds[o.label] in READ]
    listed = config.model_copy(update={"objectives": objectives})
    blocks, method = label_blocks(listed), next(iter(METHODS))
    if not blocks or not installed():
        note = "no continuous or circular label" if installed() else MISSING
        return [{"method": method, "label": "none", "note": note}]
    torch.set_num_threads(threads)
    torch.manual_seed(config.random_seed)
    train, parts = split.bins_of(TRAIN), (split.numbers(TRAIN), split.numbers(HELD_OUT))
    inputs = torch.as_tensor(encoder_input(session))
    points = {block.name: _points(session[block.name].values, kinds[block.name])[train] for block in blocks}
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module(NEEDED[0])  # before the clock starts
        began = process_time()
        model = _train(inputs[train], Task(session_of(inputs[train].numpy(), points), listed, {}))
        seconds = process_time() - began
    with torch.no_grad():
        latents = model(inputs[:, :, None]).numpy()
    rows = []
    for block in blocks:
        own, values = latents[:, block.first : block.last], session[block.name].values
        score = decoding_score(own[split.bins], values[split.bins], *parts, kinds[block.name])
        rows.append({"method": method, "label": block.name, "decoding": score, TRAIN_SECONDS: seconds})
    return rows


def _points(values: NDArray, kind: str) -> NDArray:
    """A label (time, ...) as CEBRA reads it, (time, axis): angles as points of the circle."""
    axes = values.reshape(len(values), -1)
    return np.hstack([np.cos(axes), np.sin(axes)]) if kind == "circular" else axes


def installed() -> bool:
    """Return whether CEBRA, and all that its attribution imports, is installed."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


def _train(inputs: Tensor, task: Task) -> Any:
    """Return CEBRA's encoder, trained on ``inputs`` (time, unit) with the objectives of the task's config."""
    solver, loader = solver_of(inputs, task, task.config.training.steps)
    solver.fit(loader=loader, scheduler_regularizer=_schedule(task.config))
    model = solver.model.eval()
    model.set_split_outputs(False)
    return model


def solver_of(inputs: Tensor, task: Task, steps: int, encoder_name: str = ENCODER) -> tuple[Any, Any]:
    """Return CEBRA's solver and its loader.

    Args:
        inputs: the encoder's input (time, unit).
        task: its config gives the objectives and the optimiser.
        steps: number of training steps.
        encoder_name: CEBRA's name of the encoder.
    """
    import cebra

    config = task.config
    values = {name: torch.as_tensor(label.values).float() for name, label in labels(task.session).items()}
    dataset = cebra.data.DatasetxCEBRA(inputs, **values)
    batch = config.training.batch_size
    loader = cebra.data.ContrastiveMultiObjectiveLoader(dataset=dataset, num_steps=steps, batch_size=batch)
    settings = cebra.solver.MultiObjectiveConfig(loader)
    for objective in objectives_of(config):
        settings.set_slice(*objective.outputs)
        settings.set_loss("FixedEuclideanInfoNCE", temperature=config.training.temperature)
        if objective.label is None:
            settings.set_distribution("time", time_offset=objective.offset)
        else:
            settings.set_distribution("time_delta", time_delta=objective.delta, label_name=objective.label)
        settings.push()
    settings.finalize()
    outputs = resolve(config, task.session, split_session(task.session, config))[1]
    encoder = cebra.models.init(encoder_name, inputs.shape[1], config.encoder.hidden, outputs)
    dataset.configure_for(encoder)
    parameters = [*encoder.parameters(), *settings.criterion.parameters()]
    solver = cebra.solver.init(
        "multiobjective-solver",
        model=encoder,
        feature_ranges=settings.feature_ranges,
        regularizer=cebra.models.jacobian_regularizer.JacobianReg(),
        renormalize=False,
        use_sam=False,
        criterion=settings.criterion,
        optimizer=torch.optim.Adam(parameters, lr=config.training.learning_rate),
        tqdm_on=False,
    )
    return solver, loader


def _schedule(config: Config) -> Any:
    """CEBRA's ramp of the regulariser's weight, in steps; None without a regulariser."""
    import cebra

    training, regularizer = config.training, config.training.regularizer
    if regularizer.weight == 0:
        return None
    return cebra.solver.schedulers.LinearRampUp(
        n_splits=len(objectives_of(config)),
        step_to_switch_on_reg=round(regularizer.ramp[0] * training.steps),
        step_to_switch_off_reg=round(regularizer.ramp[1] * training.steps),
        start_weight=0.0,
        end_weight=regularizer.weight,
    )


def _maps(model: Any, inputs: Tensor, blocks: Sequence[Block]) -> tuple[Maps, float]:
    """Our maps of CEBRA's Jacobians and inverses at ``inputs`` (bin, unit), and the share of bins with a gradient."""
    import cebra

    attribution = cebra.attribution.init(
        "jacobian-based-batched", model=model, input_data=inputs.clone().requires_grad_(), output_dimension=None
    )
    computed = attribution.compute_attribution_map(batch_size=min(JACOBIAN_BATCH, len(inputs)))
    maps = {}
    for ours, its in METHODS.items():
        entries = np.abs(computed[its]).astype(float)  # (bin, latent, unit)
        label = [np.sqrt((entries[:, b.first : b.last] ** 2).sum(axis=1).mean(axis=0)) for b in blocks]
        maps[ours] = np.array(label)[None], entries.mean(axis=0)[None]
    return maps, float((computed[METHODS["neuron_gradient"]] != 0).any(axis=(1, 2)).mean())
