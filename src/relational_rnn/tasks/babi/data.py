"""The stories of some tasks in splits, with a vocabulary for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relational_rnn.tasks.babi.encode import Vocabulary
from relational_rnn.tasks.babi.source import files_in
from relational_rnn.tasks.babi.stories import TASKS, Story, read_file


@dataclass(frozen=True, kw_only=True)
class BabiData:
    """Stories of one task, or of several for joint training."""

    train: tuple[Story, ...]
    """To learn from."""
    validation: tuple[Story, ...]
    """To stop and to choose by."""
    test: tuple[Story, ...]
    """To report."""

    @property
    def vocabulary(self) -> Vocabulary:
        """All words and answers: lists have so many orders that some of them come only in the test."""
        return Vocabulary.of((*self.train, *self.validation, *self.test))


def load(directory: Path, tasks: Iterable[int] = tuple(TASKS), *, seed: int = 0) -> BabiData:
    """Read the files of some tasks.

    Where a task has no validation file, a tenth of its stories to learn from is set aside, drawn by `seed`.

    Args:
        directory: with files like `qa1_..._train.txt`, `..._test.txt` and perhaps `..._valid.txt`.
        tasks: their numbers, 1..20.
        seed: at least 0.

    Raises:
        OSError: a file cannot be read.
        ValueError: a task has no train or test file, or a line is malformed.
    """
    files = files_in(directory)
    splits: dict[str, list[Story]] = {"train": [], "valid": [], "test": []}
    for task in tasks:
        lacking = [split for split in ("train", "test") if (task, split) not in files]
        if lacking:
            has = sorted(number for number, split in files if split == lacking[0])
            known = ", ".join(map(str, has)) or "none"
            raise ValueError(f"{directory} has no {lacking[0]} file of task {task}; it has those of {known}")
        own = {split: read_file(path, task) for (number, split), path in files.items() if number == task}
        if "valid" not in own:
            own["train"], own["valid"] = set_aside(own["train"], seed)
        for split, stories in own.items():
            splits[split] += stories
    return BabiData(
        train=tuple(splits["train"]), validation=tuple(splits["valid"]), test=tuple(splits["test"])
    )


def set_aside(stories: list[Story], seed: int, share: float = 0.1) -> tuple[list[Story], list[Story]]:
    """Return the stories without a random share of them, and that share, at least one; both in their order.

    Raises:
        ValueError: fewer than two stories.
    """
    if len(stories) < 2:
        raise ValueError(f"a validation split takes at least 2 stories, got {len(stories)}")
    aside = set(
        np.random.default_rng(seed).permutation(len(stories))[: max(1, round(share * len(stories)))].tolist()
    )
    return (
        [story for number, story in enumerate(stories) if number not in aside],
        [story for number, story in enumerate(stories) if number in aside],
    )
