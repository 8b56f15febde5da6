"""What the models of a run answer to some of its test examples, and what they do inside."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from relational_rnn.analysis import record_memory
from relational_rnn.analysis.report import NOTHING, Answered, Looked, Watched
from relational_rnn.cli.finished import FinishedRun, of_one_length
from relational_rnn.tasks import TaskEntry, entry_of
from relational_rnn.training.answers import answer_text, answers_of, are_right, question_text, spread_examples
from relational_rnn.training.weights import Trained

ANSWERED = 60
"""Test examples that the page shows."""

WATCHED = 8
"""Of those, examples whose every step is recorded."""


def look(run: FinishedRun) -> Looked:
    """Let the models of the first seed answer test examples, and record their steps.

    What cannot be had is left out with a note that says why: weights that are gone, models that need torch
    where it is not installed, files of a task that are elsewhere.

    Raises:
        BadFile: a file of weights is damaged, or of another training.
    """
    trained = run.trained
    notes = [run.left_out] if run.left_out else []
    if not trained:
        return dataclasses.replace(NOTHING, notes=notes)
    test = run.test
    numbers, batch = spread_examples(test, ANSWERED)
    entry, task = entry_of(run.config.task), next(iter(trained.values())).task
    records = [entry.as_record(task, batch, number) for number in range(len(batch.inputs))]
    kinds = entry.kinds(test) if entry.kinds is not None else [None] * len(test.inputs)
    lengths = getattr(batch, "lengths", np.full(len(records), batch.inputs.shape[1]))
    shown = of_one_length(lengths, WATCHED)
    length = int(lengths[shown[0]])
    inputs = np.asarray(batch.inputs[shown])[:, :length]
    watched = {} if run.of_tokens else {name: _watch(run, name, inputs) for name in trained}
    blind = [run.label(name) for name, one in watched.items() if one is None]
    if blind:
        notes.append(
            f"Nothing is recorded inside {', '.join(blind)}: RMC, hybrid, LSTM and Transformer can be."
        )
    return Looked(
        answered=_answered(entry, task, trained, batch, records, [kinds[number] for number in numbers]),
        watched={name: one for name, one in watched.items() if one is not None},
        shown=shown.tolist(),
        steps=[entry.step_words(records[number], inputs[at])[:length] for at, number in enumerate(shown)],
        notes=notes,
    )


def _watch(run: FinishedRun, name: str, inputs: np.ndarray) -> Watched | None:
    """Return what a model does at each step; None for one that cannot be recorded."""
    if name == "transformer":
        from relational_rnn.training.learners.recording import record_transformer

        return Watched(None, record_transformer(run.trained[name].model.core, inputs))
    if name not in run.twins:
        return None
    recorded = record_memory(run.twins[name], inputs)
    return Watched(recorded, recorded.attention)


def _answered(
    entry: TaskEntry,
    task: Any,
    trained: dict[str, Trained],
    batch: Any,
    records: list[dict[str, Any]],
    kinds: list[str | None],
) -> list[Answered]:
    told = {name: answers_of(one, batch) for name, one in trained.items()}
    right = {name: are_right(answers, batch) for name, answers in told.items()}

    def said(name: str, number: int) -> str:
        answer = entry.as_record(task, batch._replace(targets=told[name]), number)["answer"]
        return answer_text(entry, records[number], answer)

    return [
        Answered(
            question=question_text(entry, record),
            answer=answer_text(entry, record, record["answer"]),
            kind=kinds[number],
            told={name: said(name, number) for name in told},
            right={name: bool(right[name][number]) for name in told},
        )
        for number, record in enumerate(records)
    ]
