"""Batches of stories: in a new order each pass, together with others of about their length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relational_rnn.tasks.babi.task import StoryExamples
from relational_rnn.training.common.fit import Record

POOL = 8
"""Batches whose stories are sorted by length together: padding costs time, too much order costs chance."""


class StoryBatches:
    """Batches of given stories; the order depends on seed and step alone.

    Args:
        examples: the stories.
        batch_size: at most their number; what is left over waits for the next pass.
        seed: of the order.

    Raises:
        ValueError: more stories in a batch than there are.

    Example:
        >>> from relational_rnn.tasks.babi.task import Babi, read
        >>> found = read(Babi(tasks=(1,), synthetic=True))
        >>> batches = StoryBatches(StoryExamples(found.train, found.vocabulary), batch_size=4, seed=0)
        >>> len(batches(0).inputs)
        4
    """

    def __init__(self, examples: StoryExamples, batch_size: int, seed: int) -> None:
        self.count = len(examples.inputs)
        if batch_size > self.count:
            raise ValueError(f"batch_size must be at most the {self.count} stories, got {batch_size}")
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self._pass, self._batches = -1, np.empty((0, batch_size), dtype=int)

    def __call__(self, step: int, history: Sequence[Record] = ()) -> StoryExamples:
        """Return the stories of a step."""
        number, place = divmod(step, self.count // self.batch_size)
        if number != self._pass:
            self._pass, self._batches = number, self._order(number)
        return self.examples.select(self._batches[place])

    def _order(self, number: int) -> np.ndarray:
        """Return the numbers of the stories in each batch of a pass."""
        generator, size = np.random.default_rng([self.seed, number]), self.batch_size
        order = generator.permutation(self.count)[: self.count // size * size]
        pools = [order[start : start + POOL * size] for start in range(0, len(order), POOL * size)]
        lengths = self.examples.lengths
        sorted_pools = [pool[lengths[pool].argsort(kind="stable")] for pool in pools]
        return generator.permutation(np.concatenate(sorted_pools).reshape(-1, size))
