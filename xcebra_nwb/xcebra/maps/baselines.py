"""The attribution methods of the paper's comparison, computed by captum.

Every method returns the contribution of each unit to each latent at a bin, relative to a reference: the recording with
the unit at its mean (0 after standardising), or for gradient SHAP other bins of the recording. A unit is one feature
with all lags of the window. The perturbation methods switch it off as a whole; the gradient methods keep the lags
apart. Captum's sources: Sundararajan, Taly and Yan 2017 (integrated gradients), Lundberg and Lee 2017 (gradient and
kernel SHAP), Castro, Gomez and Tejada 2009 (Shapley sampling).
Shapes: M members, B bins, K latents, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.groups import Integers

BINS_AT_ONCE = 50  # bins that share a draw; other numbers draw differently
MEMBERS_AT_ONCE = 4  # members that are computed together, with the same draws
ELEMENTS = 1_000_000  # of one member's windows that are evaluated at once
PATH_STEPS = 20  # integrated gradients: points of the Gauss-Legendre rule
PATHS = 64  # gradient SHAP: paths that are drawn for every bin
REFERENCES = 256  # gradient SHAP: windows of the recording that references are drawn from
PERMUTATIONS = 32  # Shapley sampling: orders in which units are switched on
UNITS_AT_ONCE = 5  # Shapley sampling: units of an order that are evaluated together
COALITIONS_A_UNIT = 32  # kernel SHAP: sets of units that are switched on

# From the model, windows (B, T, D) and reference windows to contributions (M, B, K, T or 1, D).
Method = Callable[[Model, Tensor, Tensor], Tensor]


def values(
    name: str, model: Model, bins: Integers, sampled: Integers, generator: np.random.Generator
) -> Iterator[Tensor]:
    """Yield the contributions of the units to the latents, chunk by chunk.

    The random draws are the same for every member and do not depend on the number of members.

    Args:
        name: Name of the method in :data:`METHODS`.
        model: The trained ensemble.
        bins: Bins from which gradient SHAP draws references.
        sampled: Bins at which contributions are computed.
        generator: Random generator of the method.

    Yields:
        Contributions, shape (M, B, K, T or 1, D).
    """
    references = model.windows(generator.choice(bins, size=min(REFERENCES, len(bins)), replace=False))
    groups = [
        range(model.members)[start : start + MEMBERS_AT_ONCE] for start in range(0, model.members, MEMBERS_AT_ONCE)
    ]
    for start in range(0, len(sampled), BINS_AT_ONCE):
        windows = model.windows(sampled[start : start + BINS_AT_ONCE])
        seed, parts = int(generator.integers(2**32)), []
        for group in groups:
            with captum_draws(seed, windows.device):
                parts.append(METHODS[name](model.only(group), windows, references).detach())
        yield torch.cat(parts)


def _captum() -> Any:
    """The library, which is imported late: it loads matplotlib, and most maps do not need it."""
    from captum import attr

    return attr


@contextmanager
def captum_draws(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global random states of captum, and restore them at the end.

    Args:
        seed: Seed of the states.
        device: Device that computes.
    """
    before = np.random.get_state()  # noqa: NPY002 - captum takes no generator
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def integrated_gradients(model: Model, windows: Tensor, references: Tensor) -> Tensor:
    """Return integrated gradients, on the straight path from 0 to the window.

    Args:
        model: The trained ensemble.
        windows: Activity at the bins, shape (B, T, D).
        references: Not used.

    Returns:
        Mean gradient on the path times the window, shape (M, B, K, T, D).
    """
    method = _captum().IntegratedGradients(_latents_of_copies(model))
    parts = _copies(model, windows).split(_bins_at_once(model, PATH_STEPS))
    return _by_member(torch.cat([method.attribute(part, n_steps=PATH_STEPS) for part in parts]))


def gradient_shap(model: Model, windows: Tensor, references: Tensor) -> Tensor:
    """Return gradient SHAP, on paths from random references to the window.

    Args:
        model: The trained ensemble.
        windows: Activity at the bins, shape (B, T, D).
        references: Windows from which references are drawn, shape (reference, T, D).

    Returns:
        Mean gradient at random points of the paths times the difference, shape (M, B, K, T, D).
    """
    method = _captum().GradientShap(_latents_of_copies(model))
    origins = _copies(model, references)
    parts = _copies(model, windows).split(_bins_at_once(model, PATHS))
    return _by_member(torch.cat([method.attribute(part, origins, n_samples=PATHS) for part in parts]))


def shapley_sampling(model: Model, windows: Tensor, references: Tensor) -> Tensor:
    """Return Shapley values, averaged over random orders of the units.

    Args:
        model: The trained ensemble.
        windows: Activity at the bins, shape (B, T, D).
        references: Not used.

    Returns:
        Change of the latents when a unit is switched on, shape (M, B, K, 1, D).
    """
    method = _captum().ShapleyValueSampling(_switched(model))
    values = method.attribute(
        *_switches(windows),
        additional_forward_args=windows,
        n_samples=PERMUTATIONS,
        perturbations_per_eval=UNITS_AT_ONCE,
    )
    return _unflattened(values, model)


def feature_ablation(model: Model, windows: Tensor, references: Tensor) -> Tensor:
    """Return the drop of the latents when a single unit is switched off.

    Args:
        model: The trained ensemble.
        windows: Activity at the bins, shape (B, T, D).
        references: Not used.

    Returns:
        Latents with all units minus latents without the unit, shape (M, B, K, 1, D).
    """
    values = _captum().FeatureAblation(_switched(model)).attribute(*_switches(windows), additional_forward_args=windows)
    return _unflattened(values, model)


def kernel_shap(model: Model, windows: Tensor, references: Tensor) -> Tensor:
    """Return kernel SHAP: the slopes of a linear model of the latents in the switches.

    The sets of units are drawn by captum. Captum fits one bin and latent at a time; with the same sets for all of them
    the fit is one matrix.

    Args:
        model: The trained ensemble.
        windows: Activity at the bins, shape (B, T, D).
        references: Not used.

    Returns:
        Slope of each unit, shape (M, B, K, 1, D).
    """
    sets, weights = _coalitions(model.shape.units, windows)
    at_once = max(1, ELEMENTS // windows.numel())
    latents = torch.cat([_switched_on(model, windows, part) for part in sets.split(at_once)])  # (C, M, B, K)
    root = weights.sqrt().unsqueeze(1).double()  # (C, 1)
    design = torch.cat([sets, torch.ones_like(root)], dim=1) * root  # the last column is the intercept
    # The default driver, gelsy, gives other bits from call to call.
    fit = torch.linalg.lstsq(design, latents.flatten(1) * root, driver="gels").solution  # (D + 1, M * B * K)
    return fit[:-1].T.unflatten(0, latents.shape[1:]).unsqueeze(3)


def _switched_on(model: Model, windows: Tensor, sets: Tensor) -> Tensor:
    """The latents (C, M, B, K) with only the units of each of ``sets`` (C, D) switched on."""
    switched = windows * sets[:, None, None]  # (C, B, T, D)
    return model.latents(switched.flatten(0, 1)).unflatten(1, switched.shape[:2]).transpose(0, 1)


def _coalitions(units: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Sets of units (C, D), all and none first, and their weights (C,) in the fit."""
    sizes = torch.arange(units, dtype=torch.float)
    chances = (units - 1) / (sizes * (units - sizes))  # the Shapley kernel of a set times the number of its size
    chances[0] = units == 1  # the empty set is already the first; a single unit leaves no other set to draw
    method = _captum().KernelShap(lambda switches: switches)
    drawn = method.kernel_shap_perturb_generator(
        like, num_select_distribution=Categorical(chances), num_interp_features=units
    )
    sets = torch.cat(list(islice(drawn, COALITIONS_A_UNIT * units))).to(like)
    weights = torch.ones(len(sets)).to(like)
    weights[:2] = method.inf_weight
    return sets, weights


def _switches(windows: Tensor) -> tuple[Tensor, Tensor]:
    """All units on, (B, D), and all off."""
    on = torch.ones_like(windows[:, 0])
    return on, torch.zeros_like(on[:1])


def _switched(model: Model) -> Callable[[Tensor, Tensor], Tensor]:
    """The latents of all members (B, M * K) as a function of a switch for each unit."""

    def latents(switches: Tensor, windows: Tensor) -> Tensor:
        return model.latents(windows * switches.unsqueeze(1)).transpose(0, 1).flatten(1)

    return latents


def _unflattened(values: Tensor, model: Model) -> Tensor:
    """From captum's (B, M * K, D) or (B * M * K, D) to (M, B, K, 1, D)."""
    by_bin = values.reshape(-1, model.members, model.shape.outputs, 1, model.shape.units)
    return by_bin.transpose(0, 1)


def _copies(model: Model, windows: Tensor) -> Tensor:
    """A copy of each window (B, T, D) for every member and latent: (B, M, K, T, D)."""
    return windows[:, None, None].expand(-1, model.members, model.shape.outputs, -1, -1)


def _latents_of_copies(model: Model) -> Callable[[Tensor], Tensor]:
    """The sum (B,) of every latent of every member, each from a separate copy (B, M, K, T, D) of the window.

    Captum differentiates one number for each bin. The sum's gradient with respect to a copy is that of the copy's
    latent.
    """

    def total(copies: Tensor) -> Tensor:
        bins, _, latents = copies.shape[:3]
        by_copy = model.latents(copies.transpose(0, 1).flatten(1, 2))  # (M, B * K, K)
        return by_copy.unflatten(1, (bins, latents)).diagonal(dim1=2, dim2=3).sum(dim=(0, 2))

    return total


def _by_member(values: Tensor) -> Tensor:
    return values.transpose(0, 1)


def _bins_at_once(model: Model, times: int) -> int:
    return max(1, ELEMENTS // (model.shape.outputs * model.shape.window * model.shape.units * times))


METHODS: dict[str, Method] = {
    "integrated_gradients": integrated_gradients,
    "gradient_shap": gradient_shap,
    "shapley_sampling": shapley_sampling,
    "kernel_shap": kernel_shap,
    "feature_ablation": feature_ablation,
}
