"""One job of the workflow trains sessions that stay together from run to run."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import assign_batches, log_name, log_path, read_batches, write_batches
from xcebra_nwb.core.receipts import Receipt

FIVE = ["a", "b", "c", "d", "e"]


def train(results: Path, *sessions: str) -> None:
    for session in sessions:
        receipts.save(Receipt(command="train", session=session, state="done"), results / session)


def test_sessions_are_taken_in_order_so_many_at_once(tmp_path: Path) -> None:
    assert assign_batches(FIVE, 2, tmp_path) == [["a", "b"], ["c", "d"], ["e"]]
    assert assign_batches(FIVE, 1, tmp_path) == [[one] for one in FIVE]
    assert assign_batches([], 3, tmp_path) == []


def test_what_is_trained_keeps_its_company_and_only_what_is_new_is_batched(tmp_path: Path) -> None:
    write_batches(assign_batches(FIVE, 2, tmp_path), tmp_path)
    train(tmp_path, "a", "b", "e")
    for number in (1, 2, 4):
        assert assign_batches(FIVE, number, tmp_path)[:2] == [["a", "b"], ["e"]]
    assert assign_batches([*FIVE, "f"], 3, tmp_path)[2:] == [["c", "d", "f"]]
    assert assign_batches(["b", "c"], 2, tmp_path) == [["b"], ["c"]]


def test_sessions_that_were_trained_before_there_were_batches_stay_alone(tmp_path: Path) -> None:
    train(tmp_path, "b", "c")
    assert assign_batches(FIVE, 2, tmp_path) == [["b"], ["c"], ["a", "d"], ["e"]]


def test_half_a_batch_that_is_to_be_trained_again_is_still_that_batch(tmp_path: Path) -> None:
    write_batches([["a", "b", "c"], ["d", "e"]], tmp_path)
    train(tmp_path, "b")
    assert assign_batches(FIVE, 1, tmp_path) == [["a", "b", "c"], ["d"], ["e"]]


@given(st.lists(st.sampled_from(FIVE), unique=True), st.integers(1, 6))
def test_every_session_is_in_one_batch(sessions: list[str], number: int) -> None:
    found = assign_batches(sessions, number, Path("nowhere"))
    assert sorted(one for batch in found for one in batch) == sorted(sessions)
    assert all(len(batch) <= number for batch in found)


def test_the_log_of_a_batch_is_that_of_its_sessions(tmp_path: Path) -> None:
    write_batches([["a", "b"], ["c"]], tmp_path)
    shared = tmp_path / "logs" / log_name(["a", "b"]) / "train.log"
    shared.parent.mkdir(parents=True)
    shared.touch()
    assert log_path(tmp_path, "a", "train") == log_path(tmp_path, "b", "train") == shared
    assert log_path(tmp_path, "c", "train") == tmp_path / "logs" / "c" / "train.log"
    assert log_path(tmp_path, "a", "extract") == tmp_path / "logs" / "a" / "extract.log"
    assert read_batches(tmp_path) == [["a", "b"], ["c"]]
