"""Progress lines: what is written into a log is read back from it, and nothing else is taken for progress."""

from hypothesis import given
from hypothesis import strategies as st

from xcebra_nwb.core.progress import ProgressLine

titles = st.sampled_from(["training 6 members", "attribution", "training 4 members of 2 sessions", "a: b"])
numbers = st.integers(0, 10**9)


@given(titles, numbers, numbers, st.sampled_from(["steps", "bins"]), st.integers(0, 10**6), numbers)
def test_a_line_of_progress_is_read_back_as_it_was_written(
    title: str, done: int, more: int, unit: str, tenths: int, left: int
) -> None:
    line = ProgressLine(title, done, done + more, unit, tenths / 10, left)
    assert ProgressLine.read(str(line)) == line


def test_what_is_read_back_of_slow_work_is_the_line_itself() -> None:
    line = str(ProgressLine("attribution", 100, 500, "bins", 0.025, 16000))
    assert str(ProgressLine.read(line)) == line == "attribution: 100 of 500 bins, 0.0/s, 16000 s left"


@given(st.text())
def test_any_other_line_is_none(text: str) -> None:
    assert ProgressLine.read(f"{text} units left out") is None
