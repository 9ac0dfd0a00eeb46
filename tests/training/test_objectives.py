"""Which blocks the labels of a session get, and what their rules may read."""

import itertools

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.training.design.ensemble import SEED, Member, members, null_designs
from xcebra_nwb.training.design.label_space import objective_space
from xcebra_nwb.training.design.objectives import remarks, resolve
from xcebra_nwb.training.design.samples import samples
from xcebra_nwb.training.design.split import Split, split_session
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, NEITHER, TRAIN

TIME = {"name": "time", "outputs": [0, 8], "positive": "time"}


def resolved(chosen: Config, session: xr.Dataset) -> tuple[list[Objective], int]:
    """The objectives of a session and its number of latents, with the session's own split."""
    return resolve(chosen, session, split_session(session, chosen))


@pytest.fixture
def session() -> xr.Dataset:
    return make_session(np.random.default_rng(0))


def test_auto_gives_time_everything_and_every_label_a_block(session: xr.Dataset) -> None:
    objectives, outputs = resolved(schema.validate({}), session)
    assert outputs == 8
    assert [(o.name, o.outputs, o.positive) for o in objectives] == [
        ("time", (0, 8), "time"),
        ("position", (0, 3), "time_delta"),
        ("head_direction", (3, 6), "time_delta"),
        ("choice", (6, 6 + objectives[3].outputs[1] - 6), "discrete"),
    ]


def test_auto_leaves_two_latents_to_what_no_label_explains(session: xr.Dataset) -> None:
    only = session.drop_vars(["head_direction", "choice"])
    assert resolved(schema.validate({}), only)[1] == 3 + 2
    assert resolved(schema.validate({"encoder": {"outputs": 4}}), only)[1] == 4
    assert resolved(schema.validate({"encoder": {"outputs": 11}}), only)[1] == 11


def test_auto_raises_the_number_of_latents_when_the_blocks_need_it(session: xr.Dataset) -> None:
    objectives, outputs = resolved(schema.validate({"encoder": {"outputs": 2}}), session)
    assert outputs == objectives[-1].outputs[1] > 2


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        ({"positive": "time_delta", "label": "elsewhere"}, "no label elsewhere .labels: position"),
        (
            {"positive": "discrete", "label": "position"},
            "positive: time_delta or delta_normal or delta_vmf or mixed",
        ),
        ({"positive": "time_delta", "label": "choice"}, "positive: discrete"),
        (
            {"positive": "delta_normal", "label": "head_direction"},
            "delta_normal positives cannot read the circular label",
        ),
        ({"positive": "delta_vmf", "label": "choice", "kappa": 9}, "delta_vmf positives cannot read the discrete"),
        (
            {"positive": "delta_vmf", "label": "position", "kappa": 9},
            "have lengths from .* to .*positive: delta_normal",
        ),
        ({"positive": "delta_vmf", "label": "speed", "kappa": 9}, "speed is one number a bin .*kind: circular"),
        ({"positive": "mixed", "label": "choice", "within": "choice_2"}, "mixed positives cannot read the discrete"),
        ({"positive": "mixed", "label": "position", "within": "speed"}, "`within` names classes, and speed is contin"),
        ({"positive": "mixed", "label": "position", "within": "side"}, "no label side"),
        (
            {"positive": "mixed", "label": "head_direction", "within": "choice", "step": "delta_normal"},
            r"cannot read the circular label head_direction \(step: time_delta or delta_vmf\)",
        ),
    ],
)
def test_a_rule_that_cannot_read_its_label_is_refused(session: xr.Dataset, objective: dict, says: str) -> None:
    session["speed"] = session["position"][:, 0].assign_attrs(session["position"].attrs)
    session["choice_2"] = session["choice"]
    with pytest.raises(UsageError, match=says) as raised:
        resolved(schema.validate({"objectives": [TIME, {"name": "x", "outputs": [0, 2], **objective}]}), session)
    assert "\n" not in str(raised.value)


def test_time_alone_is_nothing_to_attribute(session: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="nothing to attribute"):
        resolved(schema.validate({"objectives": [TIME]}), session)


def stack_of(session: xr.Dataset, chosen: schema.Config) -> list[Member]:
    split = split_session(session, chosen)
    return members(null_designs(session, split, resolved(chosen, session)[0], chosen), chosen)


def test_members_draw_from_generators_of_their_own(session: xr.Dataset) -> None:
    chosen = schema.validate({"training": {"seeds": 2, "nulls": 3}})
    stack = stack_of(session, chosen)
    assert [m.role for m in stack] == ["seed"] * 2 + ["null"] * 9
    drawn = {tuple(m.generator(0).integers(10**9, size=3)) for m in stack}
    assert len(drawn) == 11
    assert Member("seed", 0).generator(0).random() == np.random.default_rng([0, SEED, 0]).random()


def test_the_nulls_of_a_label_do_not_depend_on_the_other_labels(session: xr.Dataset) -> None:
    chosen = schema.validate({"training": {"seeds": 1, "nulls": 3}})
    alone = stack_of(session.drop_vars(["position", "choice"]), chosen)[1:]
    beside = [m for m in stack_of(session, chosen) if m.null_label and m.null_label.label == "head_direction"]
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one.null_label.order, other.null_label.order)
        assert one.generator(0).random() == other.generator(0).random()


def test_the_samples_of_the_two_parts_share_no_bin(session: xr.Dataset) -> None:
    chosen = schema.validate({"training": {"nulls": 2, "seeds": 1}})
    split = split_session(session, chosen)
    objectives, _ = resolved(chosen, session)
    stack = stack_of(session, chosen)
    train = samples(session, split, objectives, stack, TRAIN)
    test = samples(session, split, objectives, stack, HELD_OUT)
    assert not set(train[0].bins) & set(test[0].bins)
    for own in train:
        for rule in own.rules:
            positive = rule.draw(own.references, np.random.default_rng(0))
            assert ((positive >= 0) & (positive < len(own.bins))).all()


@pytest.mark.parametrize("part", [TRAIN, HELD_OUT])
def test_a_null_reads_one_label_in_another_order_and_all_others_as_they_were(session: xr.Dataset, part: int) -> None:
    chosen = schema.validate({"training": {"nulls": 2, "seeds": 1}})
    split = split_session(session, chosen)
    objectives, _ = resolved(chosen, session)
    stack = stack_of(session, chosen)
    numbers = split.numbers(part)
    for member, own in zip(stack, samples(session, split, objectives, stack, part), strict=True):
        null_label = member.null_label.label if member.null_label else ""
        by_name = {o.name: rule for o, rule in zip(objectives, own.rules, strict=True)}
        expected = {
            name: session[name].values[split.bins][member.null_label.order if name == null_label else slice(None)][
                numbers
            ]
            for name in ("position", "head_direction", "choice")
        }
        scale = objective_space(session, split, objectives[1]).scale
        np.testing.assert_array_equal(by_name["position"].values, expected["position"] / scale)
        np.testing.assert_array_equal(by_name["head_direction"].values[:, 0], expected["head_direction"])
        np.testing.assert_array_equal(by_name["choice"].classes.group, expected["choice"])


@pytest.mark.parametrize("part", [TRAIN, HELD_OUT])
def test_the_steps_of_a_label_are_those_of_the_training_part(session: xr.Dataset, part: int) -> None:
    chosen = schema.validate({"training": {"nulls": 2, "seeds": 1}})
    split = split_session(session, chosen)
    size = np.where(split.part == TRAIN, 1.0, 100.0)  # the label runs away wherever nothing is trained
    session["position"][:] = np.cumsum(size)[:, None]
    objectives, _ = resolved(chosen, session)
    stack = stack_of(session, chosen)
    number = [o.name for o in objectives].index("position")
    for own in samples(session, split, objectives, stack, part):
        steps = own.rules[number].increments.increments
        assert len(steps) > 100
        np.testing.assert_array_equal(steps, np.ones_like(steps))


def test_a_part_without_a_positive_for_time_is_refused(session: xr.Dataset) -> None:
    chosen = schema.validate({"training": {"nulls": 0, "seeds": 1}})
    split = split_session(session, chosen)
    alone = np.where(np.arange(len(split.part)) % 2, NEITHER, split.part)  # no bin follows another
    objectives, _ = resolved(chosen, session)
    time_only = [o for o in objectives if o.label is None]
    with pytest.raises(Refusal, match="held-out part has a positive"):
        samples(session, Split(split.bins, alone, split.segment, 0), time_only, members([], chosen), HELD_OUT)


COSINE = {"similarity": "cosine"}


def position_at(*outputs: int) -> dict:
    return {"name": "position", "outputs": list(outputs), "positive": "time_delta", "label": "position"}


def choice_at(*outputs: int) -> dict:
    return {"name": "choice", "outputs": list(outputs), "positive": "discrete", "label": "choice"}


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([position_at(0, 3), choice_at(2, 5)], "position and choice share latents"),
        ([choice_at(2, 5), position_at(0, 8)], "choice and position share latents"),
        ([position_at(0, 3), choice_at(3, 4)], "objective choice: one latent at unit length"),
    ],
)
def test_blocks_that_have_no_length_of_their_own_are_refused_for_cosine(
    session: xr.Dataset, blocks: list[dict], says: str
) -> None:
    resolved(schema.validate({"objectives": [TIME, *blocks]}), session)  # fine for the Euclidean similarity
    with pytest.raises(UsageError, match=says) as raised:
        resolved(schema.validate({"objectives": [TIME, *blocks], "training": COSINE}), session)
    assert "\n" not in str(raised.value)


def test_blocks_side_by_side_are_fine_for_cosine(session: xr.Dataset) -> None:
    blocks = [position_at(0, 3), choice_at(3, 5)]  # time shares latents with both: it is not attributed
    assert resolved(schema.validate({"objectives": [TIME, *blocks], "training": COSINE}), session)[1] == 8


def test_auto_gives_a_label_of_two_classes_two_latents_for_cosine(session: xr.Dataset) -> None:
    widths = {}
    for similarity in ("euclidean", "cosine"):
        objectives, _ = resolved(schema.validate({"training": {"similarity": similarity}}), session)
        first, last = objectives[-1].outputs
        widths[similarity] = last - first
    assert widths == {"euclidean": 1, "cosine": 2}


RULES = [
    {"positive": "time_delta", "label": "position", "delta": 2},
    {"positive": "delta_normal", "label": "position", "scale": 2.0},
    {"positive": "delta_vmf", "label": "head_direction", "kappa": 20.0},
    {"positive": "delta_vmf", "label": "gaze", "kappa": 20.0},
    {"positive": "discrete", "label": "choice"},
    {"positive": "mixed", "label": "position", "within": "choice"},
    {"positive": "mixed", "label": "gaze", "within": "choice", "step": "delta_vmf", "kappa": 20.0},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['positive']}-{rule['label']}")
def test_every_rule_draws_its_positives_from_the_session(session: xr.Dataset, rule: dict) -> None:
    gaze = np.stack([np.cos(session["head_direction"]), np.sin(session["head_direction"]), np.zeros(600)], axis=1)
    attrs = session["position"].attrs
    session["gaze"] = (("time", "gaze_axis"), 0.97 * gaze, attrs)  # a little short, as means over bins are
    chosen = schema.validate({"objectives": [TIME, {"name": "x", "outputs": [0, 2], **rule}], "training": {"nulls": 0}})
    split, (objectives, _) = split_session(session, chosen), resolved(chosen, session)
    data = samples(session, split, objectives, stack_of(session, chosen))[0]
    positive = data.rules[1].draw(data.references, np.random.default_rng(0))
    label, other = (session[rule["label"]].values[data.bins[numbers]] for numbers in (data.references, positive))
    if label.dtype.kind == "f":
        apart = label - other if label.ndim == 2 else np.angle(np.exp(1j * (label - other)))
        assert np.median(np.abs(apart)) < 0.2 * np.median(np.abs(label - label.mean(axis=0)))
    else:
        np.testing.assert_array_equal(label, other)
    if "within" in rule:
        choice = session["choice"].values[data.bins]
        np.testing.assert_array_equal(choice[data.references], choice[positive])


def test_a_null_of_mixed_pairs_breaks_one_label_and_leaves_the_other_true(session: xr.Dataset) -> None:
    mixed = {"name": "x", "outputs": [0, 2], "positive": "mixed", "label": "position", "within": "choice"}
    chosen = schema.validate({"objectives": [TIME, mixed, choice_at(3, 5)], "training": {"nulls": 1, "seeds": 1}})
    split, (objectives, _) = split_session(session, chosen), resolved(chosen, session)
    stack = stack_of(session, chosen)
    position, choice = (session[name].values[split.bins] for name in ("position", "choice"))
    scale = objective_space(session, split, objectives[1]).scale
    assert [m.null_label.label if m.null_label else "" for m in stack] == ["", "position", "choice"]
    for member, own in zip(stack, samples(session, split, objectives, stack), strict=True):
        orders = {name: member.order(name) for name in ("position", "choice")}
        seen = position[slice(None) if orders["position"] is None else orders["position"]]
        classes = choice[slice(None) if orders["choice"] is None else orders["choice"]]
        np.testing.assert_array_equal(own.rules[1].values, seen[split.numbers(TRAIN)] / scale)
        np.testing.assert_array_equal(own.rules[1].classes, classes[split.numbers(TRAIN)])


def test_no_rule_reads_time_across_the_borders_of_trials(session: xr.Dataset) -> None:
    trial = np.arange(600) // 40
    session["segment"][:] = np.where(session["valid"], trial, -1)
    session["position"][:] = session["position"].values + 1000.0 * trial[:, None]  # another place every trial
    chosen = schema.validate({"training": {"nulls": 0}})
    split, (objectives, _) = split_session(session, chosen), resolved(chosen, session)
    data = samples(session, split, objectives, stack_of(session, chosen))[0]
    time, position = data.rules[:2]
    following = data.bins[time.draw(data.references, np.random.default_rng(0))]
    np.testing.assert_array_equal(following, data.bins[data.references] + 1)
    np.testing.assert_array_equal(trial[following], trial[data.bins[data.references]])
    within = np.diff(session["position"].values, axis=0)[np.diff(trial) == 0]
    assert (
        np.abs(position.increments.increments) <= np.nanmax(np.abs(within)) / objective_scale(session, chosen)
    ).all()
    drawn = data.bins[position.draw(data.references, np.random.default_rng(0))]
    np.testing.assert_array_equal(trial[drawn], trial[data.bins[data.references]])  # no step leads to another place


def objective_scale(session: xr.Dataset, chosen: schema.Config) -> np.ndarray:
    objectives, _ = resolved(chosen, session)
    return objective_space(session, split_session(session, chosen), objectives[1]).scale


def test_the_scale_of_a_label_is_that_of_its_steps_in_the_training_part(session: xr.Dataset) -> None:
    chosen = schema.validate({})
    split = split_session(session, chosen)
    later = split.numbers(TRAIN)[1:][np.diff(split.bins[split.numbers(TRAIN)]) == 1]
    values = session["position"].values[split.bins]
    expected = np.sqrt(((values[later] - values[later - 1]) ** 2).mean(axis=0))
    np.testing.assert_allclose(objective_scale(session, chosen), expected)
    session["position"][:, 1] *= 100
    np.testing.assert_allclose(objective_scale(session, chosen), expected * [1, 100])


def with_values(session: xr.Dataset, name: str, values: np.ndarray) -> xr.Dataset:
    return session.assign({name: session[name].copy(data=values.astype(session[name].dtype))})


ONE_CLASS, TWO_PLACES = np.zeros(600), np.repeat([[0.0, 1.0], [2.0, 1.0]], 300, axis=0)


@pytest.mark.parametrize(
    ("objective", "name", "values", "says"),
    [
        (
            {"positive": "time_delta", "label": "position"},
            "position",
            TWO_PLACES,
            "2 distinct values in the .* discrete",
        ),
        ({"positive": "time_delta", "label": "position"}, "position", 0 * TWO_PLACES, "1 distinct value in the"),
        ({"positive": "discrete", "label": "choice"}, "choice", ONE_CLASS, "only one class has 5 or more of the"),
        (
            {"positive": "mixed", "label": "position", "within": "choice"},
            "choice",
            ONE_CLASS,
            "x: label choice has too",
        ),
    ],
)
def test_a_label_with_too_few_values_is_refused_in_one_line(
    session: xr.Dataset, objective: dict, name: str, values: np.ndarray, says: str
) -> None:
    objectives = [TIME, {"name": "x", "outputs": [0, 2], **objective}]
    with pytest.raises(Refusal, match=says) as raised:
        resolved(schema.validate({"objectives": objectives}), with_values(session, name, values))
    assert "\n" not in str(raised.value)


def test_auto_leaves_out_a_label_that_does_not_vary_and_says_so(session: xr.Dataset) -> None:
    still, chosen = with_values(session, "position", TWO_PLACES), schema.validate({})
    objectives, outputs = resolved(chosen, still)
    assert [o.name for o in objectives] == ["time", "head_direction", "choice"]
    (said,) = remarks(chosen, still, split_session(still, chosen), objectives, outputs)
    assert said.startswith("label position has no objective: 2 distinct values in the ")
    with pytest.raises(Refusal, match="no label varies enough to train on: position: 2 distinct"):
        resolved(chosen, still[["activity", "valid", "segment", "position"]])


def test_a_class_with_hardly_a_bin_is_said(session: xr.Dataset) -> None:
    codes = session["choice"].values.copy()
    codes[10:13] = 2
    rare = with_values(session, "choice", codes)
    rare["choice"].attrs["classes"] = '["left", "right", "aborted"]'
    chosen = schema.validate({})
    assert remarks(chosen, session, split_session(session, chosen), *resolved(chosen, session)) == []
    assert remarks(chosen, rare, split_session(rare, chosen), *resolved(chosen, rare)) == [
        "label choice: classes with hardly a bin to train on: aborted (3)"
    ]


def test_latents_without_an_objective_are_said(session: xr.Dataset) -> None:
    chosen = schema.validate({"objectives": [position_at(0, 3), choice_at(5, 6)], "encoder": {"outputs": 8}})
    assert remarks(chosen, session, split_session(session, chosen), *resolved(chosen, session)) == [
        "latents 3, 4, 6, 7 belong to no objective, so that nothing trains them"
    ]


def test_more_latents_than_units_are_refused(session: xr.Dataset) -> None:
    few = session.isel(unit=slice(7))
    with pytest.raises(Refusal, match=r"8 latents of 7 units.*lower encoder.outputs"):
        resolved(schema.validate({"objectives": [TIME, position_at(0, 3)]}), few)
    with pytest.raises(Refusal, match="5 latents of 4 units"):
        resolved(schema.validate({}), session.isel(unit=slice(4)))


@pytest.mark.parametrize(("units", "blocks"), [(7, [0, 3, 6, 7]), (6, [0, 2, 4, 5])])
def test_auto_gives_up_latents_where_there_are_few_units(session: xr.Dataset, units: int, blocks: list[int]) -> None:
    objectives, outputs = resolved(schema.validate({}), session.isel(unit=slice(units)))
    assert outputs == units
    assert [o.outputs for o in objectives[1:]] == list(itertools.pairwise(blocks))
