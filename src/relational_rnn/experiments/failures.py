"""Examples that trained models get wrong: the same fresh ones for all of them, and who was right."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.splits import FRESH
from relational_rnn.training.answers import answers_of, are_right
from relational_rnn.training.data import check_memory
from relational_rnn.training.models import LABELS
from relational_rnn.training.weights import Trained


class Answering(NamedTuple):
    """A trained model, ready to answer."""

    run: str
    """Where it comes from."""
    trained: Trained
    """It, with its configuration."""

    @property
    def task(self) -> Any:
        """The task as it is scored."""
        return self.trained.task

    @property
    def label(self) -> str:
        """What people read of the training."""
        return self.trained.contestant.label


def find_failures(everyone: Sequence[Answering], *, examples: int, seed: int) -> dict[str, Any]:
    """Let all models answer the same fresh examples.

    The trainings of a run that differ in their seeds alone are one model. An answer is right if all of it is.

    Args:
        everyone: at least one, all of one task and size.
        examples: how many.
        seed: of the examples, which come from another stream than any of a run.

    Returns:
        task, size, examples, seed; models: for each its label `model`, its mean accuracy, its trainings (run,
        name, label, accuracy), and by number the examples that are always_wrong (in all its trainings, as
        they say), sometimes_wrong (in the fewest last) and alone_right (in all its trainings, and in none of
        another model's); failures: every example that somebody gets wrong, with its number, the task's
        record of it with the right answer, and what each model answered, training by training.

    Raises:
        ValueError: no models, or models of different tasks or sizes.
    """
    if not everyone:
        raise ValueError("failures need at least one trained model, got none")
    first = everyone[0]
    for one in everyone:
        if one.task != first.task:
            raise ValueError(
                "failures can be compared on one task of one size, got "
                f"{_told(first)} in {first.run} and {_told(one)} in {one.run}"
            )
    entry = entry_of(first.task)
    count = check_size("examples", examples)
    check_memory(first.task, count)
    batch = entry.sample(first.task, count, np.random.default_rng([check_seed("seed", seed), FRESH]))
    models = _by_model(everyone)
    told = {
        label: [answers_of(one.trained, batch) for one in trainings] for label, trainings in models.items()
    }
    right = {label: np.array([are_right(answers, batch) for answers in told[label]]) for label in models}
    solved = np.concatenate(list(right.values())).all(0)  # by everybody

    def answer(answers: Array, number: int) -> Any:
        return entry.as_record(first.task, batch._replace(targets=answers), number)["answer"]

    failures = [
        {
            "example": number,
            "record": entry.as_record(first.task, batch, number),
            "answers": {label: [answer(one, number) for one in told[label]] for label in models},
        }
        for number in _numbers(~solved)
    ]
    return {
        "task": entry.name,
        "size": dataclasses.asdict(first.task),
        "examples": count,
        "seed": seed,
        "models": [_summary(label, trainings, right) for label, trainings in models.items()],
        "failures": failures,
    }


def _told(one: Answering) -> str:
    sizes = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(one.task).items())
    return f"{entry_of(one.task).name} ({sizes})"


def _by_model(everyone: Sequence[Answering]) -> dict[str, list[Answering]]:
    """Return the trainings by model; where several runs have a model of one name, the run stands in it."""
    known = list(LABELS)
    runs: dict[str, dict[str, list[Answering]]] = {}
    for one in sorted(
        everyone, key=lambda one: (known.index(one.trained.contestant.model), one.trained.contestant.seed)
    ):
        label = one.label.removesuffix(f", seed {one.trained.contestant.seed}")
        runs.setdefault(label, {}).setdefault(one.run, []).append(one)
    return {
        label if len(of_label) == 1 else f"{label} of {run}": trainings
        for label, of_label in runs.items()
        for run, trainings in of_label.items()
    }


def _summary(label: str, trainings: Sequence[Answering], right: Mapping[str, Array]) -> dict[str, Any]:
    """Return a model's accuracies, and which examples it gets wrong or alone gets right.

    Args:
        label: of the model.
        trainings: its own.
        right: label of each model -> (trainings, examples) booleans.
    """
    own, others = right[label], [of_other for other, of_other in right.items() if other != label]
    wrong = (~own).sum(0)  # in how many trainings, for each example
    sometimes = _numbers((wrong > 0) & (wrong < len(own)))
    alone = (wrong == 0) & ~np.concatenate(others).any(0) if others else np.zeros(len(wrong), bool)
    accuracies = own.mean(1).tolist()
    return {
        "model": label,
        "accuracy": sum(accuracies) / len(accuracies),
        "trainings": [
            {"run": one.run, "name": one.trained.contestant.name, "label": one.label, "accuracy": accuracy}
            for one, accuracy in zip(trainings, accuracies, strict=True)
        ],
        "always_wrong": _numbers(wrong == len(own)),
        "sometimes_wrong": sorted(sometimes, key=lambda number: -int(wrong[number])),
        "alone_right": _numbers(alone),
    }


def _numbers(chosen: Any) -> list[int]:
    found: list[int] = np.flatnonzero(chosen).tolist()
    return found
