"""Which blocks the labels of a session get, and what their rules may read."""

import numpy as np
import pytest
import xarray as xr

from xcebra_nwb import config
from xcebra_nwb.errors import Refusal, UsageError
from xcebra_nwb.layout import Layout, layout
from xcebra_nwb.objectives import resolve
from xcebra_nwb.stack import SEED, Member, members, null_designs, samples
from xcebra_nwb.xcebra.windows import HELD_OUT, NEITHER, TRAIN

from .results import make_session

TIME = {"name": "time", "outputs": [0, 8], "positive": "time"}


@pytest.fixture
def session() -> xr.Dataset:
    return make_session(np.random.default_rng(0))


def test_auto_gives_time_everything_and_every_label_a_block(session: xr.Dataset) -> None:
    objectives, outputs = resolve(config.validate({}), session)
    assert outputs == 8
    assert [(o.name, o.outputs, o.positive) for o in objectives] == [
        ("time", (0, 8), "time"),
        ("position", (0, 3), "time_delta"),
        ("head_direction", (3, 6), "time_delta"),
        ("choice", (6, 6 + objectives[3].outputs[1] - 6), "discrete"),
    ]


def test_auto_leaves_two_latents_to_what_no_label_explains(session: xr.Dataset) -> None:
    only = session.drop_vars(["head_direction", "choice"])
    assert resolve(config.validate({}), only)[1] == 3 + 2
    assert resolve(config.validate({"encoder": {"outputs": 4}}), only)[1] == 4
    assert resolve(config.validate({"encoder": {"outputs": 11}}), only)[1] == 11


def test_auto_raises_the_number_of_latents_when_the_blocks_need_it(session: xr.Dataset) -> None:
    objectives, outputs = resolve(config.validate({"encoder": {"outputs": 2}}), session)
    assert outputs == objectives[-1].outputs[1] > 2


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        ({"name": "x", "outputs": [0, 2], "positive": "time_delta", "label": "speed"}, "labels: position"),
        ({"name": "x", "outputs": [0, 2], "positive": "discrete", "label": "position"}, "positive: time_delta"),
        ({"name": "x", "outputs": [0, 2], "positive": "time_delta", "label": "choice"}, "positive: discrete"),
    ],
)
def test_a_rule_that_cannot_read_its_label_is_refused(session: xr.Dataset, objective: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(config.validate({"objectives": [TIME, objective]}), session)


def test_time_alone_is_nothing_to_attribute(session: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="nothing to attribute"):
        resolve(config.validate({"objectives": [TIME]}), session)


def stack_of(session: xr.Dataset, chosen: config.Config) -> list[Member]:
    used = layout(session, chosen)
    return members(null_designs(session, used, resolve(chosen, session)[0], chosen), chosen)


def test_members_draw_from_generators_of_their_own(session: xr.Dataset) -> None:
    chosen = config.validate({"training": {"seeds": 2, "nulls": 3}})
    stack = stack_of(session, chosen)
    assert [m.role for m in stack] == ["seed"] * 2 + ["null"] * 9
    drawn = {tuple(m.generator(0).integers(10**9, size=3)) for m in stack}
    assert len(drawn) == 11
    assert Member("seed", 0).generator(0).random() == np.random.default_rng([0, SEED, 0]).random()


def test_the_nulls_of_a_label_do_not_depend_on_the_other_labels(session: xr.Dataset) -> None:
    chosen = config.validate({"training": {"seeds": 1, "nulls": 3}})
    alone = stack_of(session.drop_vars(["position", "choice"]), chosen)[1:]
    beside = [m for m in stack_of(session, chosen) if m.broken and m.broken.label == "head_direction"]
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one.broken.order, other.broken.order)
        assert one.generator(0).random() == other.generator(0).random()


def test_the_samples_of_the_two_parts_share_no_bin(session: xr.Dataset) -> None:
    chosen = config.validate({"training": {"nulls": 2, "seeds": 1}})
    used = layout(session, chosen)
    objectives, _ = resolve(chosen, session)
    stack = stack_of(session, chosen)
    train = samples(session, used, objectives, stack, TRAIN)
    test = samples(session, used, objectives, stack, HELD_OUT)
    assert not set(train.bins) & set(test.bins)
    for rules in train.rules:
        for rule in rules:
            positive = rule.draw(train.references, np.random.default_rng(0))
            assert ((positive >= 0) & (positive < len(train.bins))).all()


@pytest.mark.parametrize("part", [TRAIN, HELD_OUT])
def test_a_null_reads_one_label_in_another_order_and_all_others_as_they_were(session: xr.Dataset, part: int) -> None:
    chosen = config.validate({"training": {"nulls": 2, "seeds": 1}})
    used = layout(session, chosen)
    objectives, _ = resolve(chosen, session)
    stack = stack_of(session, chosen)
    numbers = used.numbers(part)
    for member, rules in zip(stack, samples(session, used, objectives, stack, part).rules, strict=True):
        broken = member.broken.label if member.broken else ""
        by_name = {o.name: rule for o, rule in zip(objectives, rules, strict=True)}
        expected = {
            name: session[name].values[used.bins][member.broken.order if name == broken else slice(None)][numbers]
            for name in ("position", "head_direction", "choice")
        }
        np.testing.assert_array_equal(by_name["position"].values, expected["position"])
        np.testing.assert_array_equal(by_name["head_direction"].values[:, 0], expected["head_direction"])
        np.testing.assert_array_equal(by_name["choice"].classes.group, expected["choice"])


@pytest.mark.parametrize("part", [TRAIN, HELD_OUT])
def test_the_steps_of_a_label_are_those_of_the_training_part(session: xr.Dataset, part: int) -> None:
    chosen = config.validate({"training": {"nulls": 2, "seeds": 1}})
    used = layout(session, chosen)
    size = np.where(used.split == TRAIN, 1.0, 100.0)  # the label runs away wherever nothing is trained
    session["position"][:] = np.cumsum(size)[:, None]
    objectives, _ = resolve(chosen, session)
    stack = stack_of(session, chosen)
    number = [o.name for o in objectives].index("position")
    for rules in samples(session, used, objectives, stack, part).rules:
        steps = rules[number].increments
        assert len(steps) > 100
        np.testing.assert_array_equal(steps, np.ones_like(steps))


def test_a_part_without_a_positive_for_time_is_refused(session: xr.Dataset) -> None:
    chosen = config.validate({"training": {"nulls": 0, "seeds": 1}})
    used = layout(session, chosen)
    alone = np.where(np.arange(len(used.split)) % 2, NEITHER, used.split)  # no bin follows another
    objectives, _ = resolve(chosen, session)
    time_only = [o for o in objectives if o.label is None]
    with pytest.raises(Refusal, match="held-out part has a positive"):
        samples(session, Layout(used.bins, alone, used.segment, 0), time_only, members([], chosen), HELD_OUT)


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
    resolve(config.validate({"objectives": [TIME, *blocks]}), session)  # fine for the Euclidean similarity
    with pytest.raises(UsageError, match=says) as raised:
        resolve(config.validate({"objectives": [TIME, *blocks], "training": COSINE}), session)
    assert "\n" not in str(raised.value)


def test_blocks_side_by_side_are_fine_for_cosine(session: xr.Dataset) -> None:
    blocks = [position_at(0, 3), choice_at(3, 5)]  # time shares latents with both: it is not attributed
    assert resolve(config.validate({"objectives": [TIME, *blocks], "training": COSINE}), session)[1] == 8


def test_auto_gives_a_label_of_two_classes_two_latents_for_cosine(session: xr.Dataset) -> None:
    widths = {}
    for similarity in ("euclidean", "cosine"):
        objectives, _ = resolve(config.validate({"training": {"similarity": similarity}}), session)
        first, last = objectives[-1].outputs
        widths[similarity] = last - first
    assert widths == {"euclidean": 1, "cosine": 2}
