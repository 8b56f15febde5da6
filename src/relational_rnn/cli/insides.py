"""What only runs of Nth farthest show: which questions are answered wrongly, and what an RMC does inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.analysis import (
    attention_example,
    attention_heatmap,
    attention_shares,
    mistakes,
    mistakes_figure,
    slot_contents,
    slot_contents_figure,
    slot_record,
)
from relational_rnn.analysis.style import can_draw
from relational_rnn.nn import SequenceClassifier
from relational_rnn.tasks.splits import PICTURE
from relational_rnn.training.config import RunConfig
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.files import write_json
from relational_rnn.training.learners.recording import (
    record_attention_at,
    record_memories,
    record_questions,
)
from relational_rnn.training.results import RunResult
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.weights import Trained, load_weights

ATTENDED = 500
"""Questions over which attention is averaged."""


def draw(
    config: RunConfig[Any], folder: RunFolder, results: RunResult, title: str
) -> tuple[list[Path], list[Path]]:
    """Draw a run's mistakes and its RMC's insides; return the figures, and the other files."""
    errors = find_mistakes(folder, results)
    files = [folder.path / "mistakes.json"]
    write_json(files[0], errors)
    heading = f"{title}: which questions are answered wrongly"
    figures = []
    if can_draw():
        figures.append(mistakes_figure(errors, title=heading, path=folder.plots / "mistakes.png"))
    if "rmc" in results.models:
        trained = load_weights(folder.weights(results.models["rmc"].name))
        drawn, numbers = draw_insides(trained.model, config, title, folder.plots)
        for name, record in numbers.items():
            files.append(folder.path / f"{name}.json")
            write_json(files[-1], record)
        figures += drawn
    return figures, files


def draw_insides(
    model: SequenceClassifier, config: RunConfig[Any], title: str, plots: Path
) -> tuple[list[Path], dict[str, Any]]:
    """Draw what an RMC attends to and what its slots hold, and count both.

    Args:
        model: with a trained RMC.
        config: of its run.
        title: begins that of each figure.
        plots: folder of the figures.

    Returns:
        The figures, and the numbers by name: "slots" and, where steps come before and after a reference in
        the middle, "attention".
    """
    task = config.task
    generator = np.random.default_rng([config.seed, PICTURE])
    recorded = record_questions(model, task, generator)
    figures = []
    if can_draw():
        examples_shown = [attention_example(one) for one in recorded]
        heading, path = f"{title}: what the slots attend to", plots / "attention_heatmap.png"
        figures.append(attention_heatmap(examples_shown, title=heading, path=path))
    examples = max(config.data.test_examples, 64 * task.objects)  # fewer can not be decoded
    last_step, middle_step = task.objects - 1, task.objects // 2
    last, middle = (
        record_memories(model, task, generator, examples=examples, step=step)
        for step in (last_step, middle_step)
    )
    contents = slot_contents(last, middle)
    if can_draw():
        heading, path = f"{title}: what the slots hold", plots / "slot_contents.png"
        figures.append(slot_contents_figure(contents, title=heading, path=path))
    numbers: dict[str, Any] = {"slots": slot_record(contents)}
    if 0 < middle_step < last_step:
        asked = record_attention_at(model, task, generator, examples=ATTENDED, step=middle_step)
        numbers["attention"] = attention_shares(asked)
    return figures, numbers


def find_mistakes(folder: RunFolder, results: RunResult) -> dict[str, dict[str, Any]]:
    """Return which of its test examples each model's best training gets wrong, see `analysis.mistakes`."""
    found = {}
    for name, model in results.models.items():
        trained = load_weights(folder.weights(model.name))
        found[name] = {"label": trained.contestant.label, **mistakes_of(trained)}
    return found


def mistakes_of(trained: Trained) -> dict[str, Any]:
    """Return which of the test examples of its training a model gets wrong."""
    batch = splits_of(alone(trained.config, trained.contestant.seed)).test
    return mistakes(batch, trained.predict(batch.inputs, every_step=False))
