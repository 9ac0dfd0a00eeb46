"""Work on several threads."""

import threading

import pytest
import torch

from xcebra_nwb.xcebra.maps.pieces import in_order


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_pieces(threads: int) -> None:
    assert list(in_order(lambda piece: piece**2, range(20), threads)) == [piece**2 for piece in range(20)]
    assert list(in_order(lambda piece: piece, [], threads)) == []


def test_pieces_are_worked_on_side_by_side() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(list(in_order(lambda piece: both.wait(), range(2), 2))) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_torch_has_one_thread_for_a_piece_and_its_own_again_afterwards(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(in_order(lambda piece: torch.get_num_threads(), range(3), threads)) == [1, 1, 1]
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError):
            list(in_order(lambda piece: 1 / piece, [1, 0, 2, 3], threads))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
