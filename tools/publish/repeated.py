"""Whether a training repeats: the same command and seed on another processor, a row a training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from relational_rnn.tasks import find_task
from tools.publish.records import Record, trainings_of
from tools.publish.text import markdown

UNNAMED: Final = "not recorded"
"""The processor of records from before they named it."""


def repeated_table(records: Sequence[Record]) -> str:
    """Return the test accuracies of the trainings that ran on several processors, a column a processor.

    Raises:
        ValueError: none ran on more than one.
    """
    scores: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        config = record.content["config"]
        task = find_task(config["command"].split()[1]).name
        for training in itertools.chain(*trainings_of(record).values()):
            there = scores.setdefault((task, training.name), {})
            there[config["processor"] or UNNAMED] = training.test_accuracy
    several = {training: there for training, there in scores.items() if len(there) > 1}
    processors = list(dict.fromkeys(name for there in several.values() for name in there))
    rows = [
        [task, name, *(_cell(there.get(one)) for one in processors), _apart(list(there.values()))]
        for (task, name), there in several.items()
    ]
    if not rows:
        raise ValueError(f"{', '.join(record.name for record in records)}: no training ran on two processors")
    return markdown(
        ["task", "training and seed", *(f"processor: {one}" for one in processors), "apart"], rows
    )


def _cell(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.2f} %"


def _apart(scores: Sequence[float]) -> str:
    return f"{100 * (max(scores) - min(scores)):.2f}"
