import numpy as np
import pytest

from relational_rnn.tasks.babi.task import Babi, StoryExamples, read
from relational_rnn.training.data import StoryBatches

FOUND = read(Babi(tasks=(1, 18), synthetic=True))
EXAMPLES = StoryExamples(FOUND.train, FOUND.vocabulary)


def lengths_of(batches, steps):
    return [batches(step).lengths.tolist() for step in steps]


def test_a_pass_has_every_story_once_and_little_padding():
    size = 32
    batches = StoryBatches(EXAMPLES, size, seed=3)
    steps = len(EXAMPLES.inputs) // size
    lengths = lengths_of(batches, range(steps))
    seen = np.sort(np.concatenate(lengths))
    assert len(seen) == steps * size
    longest = [max(own) for own in lengths]
    assert sum(longest) * size < 1.4 * seen.sum()
    assert len(set(longest[:10])) > 3  # not from the shortest to the longest


def test_the_order_depends_on_seed_and_step_alone():
    batches, again = (StoryBatches(EXAMPLES, 16, seed=3) for _ in range(2))
    steps = [0, 200, 1, 0]
    assert lengths_of(batches, steps) == lengths_of(again, steps)
    assert not np.array_equal(batches(0).stories.words, StoryBatches(EXAMPLES, 16, seed=4)(0).stories.words)
    first, second = (batches(step).stories.words for step in (0, len(EXAMPLES.inputs) // 16))
    assert not np.array_equal(first, second)


def test_too_large_a_batch():
    with pytest.raises(ValueError, match="batch_size must be at most the 1800 stories, got 1801"):
        StoryBatches(EXAMPLES, 1801, seed=0)
