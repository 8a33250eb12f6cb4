"""Which pairs are in which batch."""

from __future__ import annotations

from training.published.order import Draw, InOrder, Position, Shuffled

PAIRS, BATCH = 22, 4


def epochs(count: int, position: Position, rank: int = 0, processes: int = 1) -> list[list[Draw]]:
    """The batches of so many epochs, as a training draws them."""
    order, found = Shuffled(PAIRS, BATCH, 7, position, rank, processes), list[list[Draw]]()
    for _ in range(count):
        drawn = list(order)
        position.batches += len(drawn)
        found += drawn
    return found


def test_a_pair_is_drawn_once_an_epoch_at_most() -> None:
    drawn = epochs(1, Position())
    places = [place for batch in drawn for place, _ in batch]

    assert [len(batch) for batch in drawn] == [4] * 5
    assert len(set(places)) == 20
    assert places != sorted(places)


def test_every_epoch_has_an_order_of_its_own_and_the_seed_decides_which() -> None:
    drawn = epochs(2, Position())

    assert [place for place, _ in drawn[0]] != [place for place, _ in drawn[5]]
    assert {epoch for batch in drawn[5:] for _, epoch in batch} == {1}
    assert drawn == epochs(2, Position())
    assert drawn != list(Shuffled(PAIRS, BATCH, 8, Position()))


def test_it_goes_on_where_training_stands() -> None:
    whole = epochs(3, Position())

    assert epochs(1, Position(7)) == whole[7:10]
    assert epochs(2, Position(5)) == whole[5:15]
    assert len(Shuffled(PAIRS, BATCH, 7, Position(7))) == 5


def test_processes_share_the_batches_of_one() -> None:
    shares = [epochs(2, Position(), rank, processes=2) for rank in range(2)]

    assert [one + other for one, other in zip(*shares, strict=True)] == epochs(2, Position())


def test_validation_has_every_pair_once_whatever_the_number_of_processes() -> None:
    for processes in (1, 2, 3):
        orders = [InOrder(PAIRS, BATCH, rank, processes) for rank in range(processes)]
        places = [place for order in orders for batch in order for place, _ in batch]
        assert sorted(places) == list(range(PAIRS))
        assert [len(list(order)) for order in orders] == [len(order) for order in orders]
