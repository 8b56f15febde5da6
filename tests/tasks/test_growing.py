"""Which larger sizes a task tries."""

import pytest

from relational_rnn.tasks.babi_synthetic import BabiSynthetic
from relational_rnn.tasks.growing import growing
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.pair_matching import PairMatching
from relational_rnn.tasks.programs import Addition, Copy
from relational_rnn.tasks.sorting import Sorting


@pytest.mark.parametrize(
    ("items", "grown"), [(1, [1, 2, 3, 4]), (2, [2, 3, 4, 5]), (5, [5, 7, 8, 10]), (8, [8, 10, 12, 16])]
)
def test_sizes_grow_to_twice_the_size_and_by_one_at_least(items, grown):
    tasks = growing(Sorting(items=items, values=7), items=None)
    assert tasks == {"items": [Sorting(items=size, values=7) for size in grown]}


@pytest.mark.parametrize(
    ("task", "grown"),
    [
        (PairMatching(), {"pairs": [6, 8, 9, 12]}),
        (PairMatching(pairs=6, keys=8), {"pairs": [6, 8]}),
        (PairMatching(pairs=6, keys=6), {}),
        (ObjectTracking(moves=4), {"moves": [4, 5, 6, 8], "objects": [3, 4, 5, 6]}),
        (BabiSynthetic(), {"sentences": [8, 10, 12, 16], "people": [4, 5, 6, 8], "places": [6, 8]}),
        (Addition(nesting=2, length=7), {"nesting": [2, 3, 4, 5], "length": [7, 8]}),
        (Copy(length=3, curriculum="naive", level=2), {"length": [3, 4, 5, 6]}),
    ],
)
def test_the_input_format_says_how_far_a_size_grows(task, grown):
    tasks = task.larger()
    assert {axis: [getattr(one, axis) for one in along] for axis, along in tasks.items()} == grown
    assert all(getattr(one, "level", None) is None for along in tasks.values() for one in along)
