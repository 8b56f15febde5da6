import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.training.matching import smallest_size


@given(st.integers(1, 5000), st.integers(0, 50))
def test_the_smallest_that_is_enough(wanted, constant):
    def parameters(size):
        return 3 * size * size + constant

    size = smallest_size(parameters, wanted)
    assert parameters(size) >= wanted
    assert size == 1 or parameters(size - 1) < wanted


@given(st.integers(1, 5000), st.integers(1, 16))
def test_sizes_that_come_in_heads(wanted, heads):
    """A size is rounded up to whole heads, so that several have the same number."""

    def numbers(size):
        whole = -(-size // heads)
        return heads * whole * whole

    size = smallest_size(numbers, wanted)
    assert numbers(size) >= wanted
    assert size == 1 or numbers(size - 1) < wanted


def test_a_size_that_changes_nothing():
    with pytest.raises(ValueError, match=r"it has 7 at size 1 and at 64, and 1,000 are wanted"):
        smallest_size(lambda size: 7, 1000)
