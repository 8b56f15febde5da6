"""Saved models scored on fresh or given examples."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from relational_rnn.config.checks import BadFile, check_seed, check_size
from relational_rnn.reference import Batch
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.reasoning import policy_score
from relational_rnn.tasks.splits import FRESH, score_to_beat, trivial_scores
from relational_rnn.training.data import check_memory, splits_of
from relational_rnn.training.examples_file import check_mask, check_targets, read_examples
from relational_rnn.training.weights import Trained, load_weights


class Dynamic(Protocol):
    """A learner of texts."""

    def evaluate_dynamic(self, examples: Any, learning_rate: float) -> dict[str, float]:
        """Return the scores of weights that follow each window after it was scored."""


def evaluate(
    weights: Path,
    *,
    examples: int,
    seed: int,
    path: Path | None = None,
    compute_dtype: str | None = None,
    dynamic: float | None = None,
    **changes: int,
) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file of `training.weights.save_weights`.
        examples: how many fresh ones, of the model's task and of its harder sizes, unless `path` is given; a
            task that comes in files has none, and all of its test counts.
        seed: of the fresh ones.
        path: of a text any text file; else .npz with `inputs` (B, T, F) and perhaps `targets`, (B, T) with a
            `mask`, or (B,) for an answer after the last step.
        compute_dtype: of an RMC's matrix products; None for that of its training.
        dynamic: of a text, the learning rate with which a copy of the weights follows each window once it was
            scored; None scores the weights as they are.
        **changes: what is put among the steps of fresh examples, by name, where the task knows how.

    Returns:
        name, label, examples, accuracy (None without targets), trivial_accuracy; for fresh examples also
        harder_accuracy, if there are harder ones; for given ones predictions; of a text also its loss,
        perplexity and bits_per_byte, harder_... of the same with a memory that is cut, and trivial_...

    Raises:
        ValueError: the file's arrays do not fit the model, the task has no such changes, or `dynamic` is too
            large, or given for what is no text.
    """
    check_seed("seed", seed)
    trained = load_weights(weights, compute_dtype)
    config, task, contestant = trained.config, trained.task, trained.contestant
    entry = entry_of(task)
    score: dict[str, Any] = {
        "name": contestant.name,
        "label": f"{entry.name}, {contestant.label}",
        "examples": check_size("examples", examples),
        "accuracy": None,
        "trivial_accuracy": score_to_beat(trivial_scores(task)),
    }
    changes = {name: count for name, count in changes.items() if count}
    if changes and entry.lengthen is None:
        raise ValueError(f"{' and '.join(changes)} change no examples of {entry.name}, of which {weights} is")
    if dynamic is not None and not entry.tokens:
        raise ValueError(f"dynamic evaluation is of models of texts, and {weights} is of {entry.name}")
    if path is not None and entry.given is None:
        return score | _given(trained, path)
    learner = trained.framework.learner(trained.model, config.of(contestant.model))
    scores_of: Callable[[Any], dict[str, float]] = learner.evaluate
    if dynamic is not None:
        scores_of = functools.partial(cast(Dynamic, learner).evaluate_dynamic, learning_rate=dynamic)
        score["dynamic"] = dynamic
    if path is not None and entry.given is not None:
        found = entry.given(task, path)
        score["examples"], score["trivial_accuracy"] = len(found.inputs), None
        return score | scores_of(found)
    if entry.from_files:
        splits = splits_of(config)
        score["examples"] = len(splits.test.inputs)
        test, harder = scores_of(splits.test), scores_of(splits.harder)
        score["accuracy"], score["harder_accuracy"] = test["accuracy"], harder["accuracy"]
        score["trivial_accuracy"] = score_to_beat(splits.trivial["test"])
        for name in entry.score.kept:
            score |= {
                name: test[name],
                f"harder_{name}": harder[name],
                f"trivial_{name}": splits.trivial[name],
            }
        return score
    for key, sizes in (("accuracy", task), ("harder_accuracy", entry.harder(task))):
        if sizes is not None:
            check_memory(sizes, examples)
            generator = np.random.default_rng([seed, FRESH])
            batch = entry.sample(sizes, examples, generator)
            if key == "accuracy" and entry.shortcut is not None:
                found = trivial_scores(task) | {"shortcut": policy_score(entry.shortcut, task, batch)}
                score["trivial_accuracy"] = score_to_beat(found)
            if changes and entry.lengthen is not None:
                batch = Batch(entry.lengthen(task, batch, generator, **changes), batch.targets)
            score[key] = learner.evaluate(batch)["accuracy"]
    return score


def _given(trained: Trained, path: Path) -> dict[str, Any]:
    """Score a model on the examples of a file."""
    task = trained.task
    every_step = answers_every_step(task)
    inputs, others = read_examples(path, task.input_size)
    predictions = trained.predict(inputs, every_step)
    found: dict[str, Any] = {"examples": len(inputs), "predictions": predictions.tolist()}
    if "targets" not in others:
        return found
    axes = ("B", "T") if every_step else ("B",)
    shape = inputs.shape[: len(axes)]
    mask = np.ones(shape, dtype=bool)
    try:
        targets = check_targets(others["targets"], shape, axes, task.classes)
        if every_step and "mask" in others:
            mask = check_mask(others["mask"], shape, axes)
    except ValueError as error:
        raise BadFile(path, f"does not fit the model: {error}") from None
    return found | {"accuracy": float((predictions == targets)[mask].mean())}


def answers_every_step(task: Any) -> bool:
    """Say whether a task's answers have a time axis; else each sequence has one, after its last step.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest
        >>> answers_every_step(NthFarthest())
        False
    """
    return np.ndim(entry_of(task).sample(task, 1, np.random.default_rng(0)).targets) > 1
