"""The parts of a training step make up the whole, and telling them apart changes nothing of it."""

import itertools
import logging

import pytest

pytestmark = pytest.mark.torch


def test_every_moment_of_a_step_is_of_one_part(caplog):
    from relational_rnn.bench.step_parts import PARTS, step_parts
    from relational_rnn.recipes import find_recipe
    from relational_rnn.training.config import with_values

    ticks = itertools.count()
    changes = {"optimiser": "soap", "average_decay": 0.9}
    run = step_parts(with_values(find_recipe("nth-farthest", "tiny"), changes), "rmc", lambda: next(ticks))
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        before = next(ticks)
        parts = run(3)
        after = next(ticks)
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == after - before - 2, "all but the way to the first moment and from the last"
    assert all(parts.values())
    # Forward and backward end in one moment each; a parameter's gradient ends the core's backward too.
    assert parts["data"] == parts["head and loss"] == parts["optimiser"] == 3
    assert not caplog.records, "the core ran on its backend"
