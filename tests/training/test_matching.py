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
