"""What a step shows is what was written into the example."""

import numpy as np
import pytest

from relational_rnn.tasks import find_task


@pytest.mark.parametrize("name", ["copy", "addition", "control"])
def test_characters_are_those_of_the_text_backwards(name):
    entry = find_task(name)
    task = entry.factory()
    batch = entry.sample(task, 3, np.random.default_rng(0))
    for number in range(3):
        record = entry.as_record(task, batch, number)
        words = entry.step_words(record, np.asarray(batch.inputs)[number])
        shown = "".join(words).rstrip("?")
        assert shown in (record["text"], record["text"][::-1])
