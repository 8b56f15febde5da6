"""Tables of the tasks other than Nth farthest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final

from relational_rnn import analysis
from relational_rnn.tasks.babi.stories import TASKS
from relational_rnn.training.models import LABELS
from tools.publish.records import Record, command, results_of, seeds_of, trainings_of
from tools.publish.text import (
    ONE_SEED,
    as_markdown,
    check_seeds,
    commands,
    head,
    markdown,
    percent,
    whole_percent,
)

PROGRAM_MODELS: Final = ("rmc", "lstm", "transformer", "dnc")
REASONING_MODELS: Final = ("rmc", "hybrid", "lstm")


def summary(records: Sequence[Record]) -> str:
    """Return the sizes of a run's task, its command, and one row a model."""
    (record,) = records
    results = results_of(record)
    sizes = ", ".join(f"{size} {value}" for size, value in results.size.items() if value is not None)
    if results.task == "babi":
        sizes = f"{len(results.size['tasks'])} tasks, variant {results.size['variant']}"
    if results.task == "language":
        sizes = f"{results.size['units']} of {results.size['data']}, windows of {results.size['window']}"
    seeds = len(seeds_of(record))
    told = (
        f"Sizes: {sizes}; harder: {results.harder}. {results.test_examples:,} test examples of each"
        f"{_several(record) if seeds > 1 else ''}:"
    )
    table = as_markdown(analysis.summary_table(results), head("model", seeds))
    return f"{told}\n\n{commands(records)}\n\n{table}"


def _several(record: Record) -> str:
    results = results_of(record)
    sentence = f", means of {results.seeds} seeds (lowest to highest)"
    if results.wall_seconds is not None:  # of a run that was never interrupted
        sentence += f", {results.wall_seconds:.0f} s for all {results.seeds * len(results.models)} trainings"
    check_seeds(record.name, sentence, seeds_of(record))
    return sentence


def seeds_table(records: Sequence[Record]) -> str:
    """Return one row a training."""
    (record,) = records
    return as_markdown(analysis.seeds_table(results_of(record)), f"training, {ONE_SEED} a row")


def kinds_table(records: Sequence[Record]) -> str:
    """Return accuracies by the kind of question; bAbI's kinds are its tasks, which have names."""
    (record,) = records
    results = results_of(record)
    table = _there(record, analysis.kinds_table(results))
    told = as_markdown(table, head(table.columns[0], len(seeds_of(record))))
    if results.task != "babi":
        return told
    return re.sub(r"(?<=\| )task (\d+)", lambda match: f"{match[1]} {TASKS[int(match[1])]}", told)


def generalisation_table(records: Sequence[Record]) -> str:
    """Return accuracies on larger sizes than in training."""
    (record,) = records
    table = _there(record, analysis.generalisation_table(results_of(record)))
    return as_markdown(table, head("model", len(seeds_of(record))))


def memory(records: Sequence[Record]) -> str:
    """Return what was read of the memories, and what they are like."""
    (record,) = records
    return f"Read: {record.content['memory']['examples']}.\n\n{memory_table(records)}"


def memory_table(records: Sequence[Record]) -> str:
    """Return what the memories of a run's first seed are like."""
    (record,) = records
    return as_markdown(analysis.memory_table(record.content["memory"]["models"]), head("memory", 1))


def efficiency_table(records: Sequence[Record]) -> str:
    """Return one row a model: examples seen until an accuracy on validation, means over the seeds."""
    (record,) = records
    results, evaluations = results_of(record), record.content["evaluations"]
    points = itertools.chain.from_iterable(evaluations.values())
    best = max(point["validation_accuracy"] for point in points)
    accuracies = analysis.thresholds(results.trivial_accuracy, best)
    rows = []
    for model in analysis.model_efficiencies(results, evaluations, accuracies):
        cells = [model.name]
        for needed in zip(*model.examples):
            reached = [examples for examples in needed if examples is not None]
            some = f" ({len(reached)} of {len(needed)})" if 0 < len(reached) < len(needed) else ""
            cells.append(f"{sum(reached) / len(reached):,.0f}{some}" if reached else "-")
        rows.append(cells)
    return markdown([head("model", len(seeds_of(record))), *map(whole_percent, accuracies)], rows)


def programs_table(records: Sequence[Record]) -> str:
    """Return one row a program task: digits predicted rightly and, in brackets, answers without a mistake.

    A task with several seeds says so, and has their means.
    """
    rows = []
    for record in records:
        seeds = len(seeds_of(record))
        cells = [record.name if seeds == 1 else f"{head(record.name, seeds)}, {seeds} seeds"]
        for model in PROGRAM_MODELS:
            trainings = trainings_of(record)[model]
            right = sum(training.test_accuracy for training in trainings) / len(trainings)
            solved = sum(training.test_sequence_accuracy or 0.0 for training in trainings) / len(trainings)
            cells.append(f"{percent(right)} ({percent(solved)})")
        majority = results_of(record).trivial["test"]["majority"]
        cells.append("-" if majority is None else percent(majority))
        rows.append([*cells, f"`{command(record)}`"])
    task = head("task", min(len(seeds_of(record)) for record in records))
    return markdown([task, *(LABELS[model] for model in PROGRAM_MODELS), "majority", "command"], rows)


def reasoning_table(records: Sequence[Record]) -> str:
    """Return one row a reasoning task: mean test accuracies and the best score that asks for no reasoning."""
    rows = []
    for record in records:
        results = results_of(record)
        scores = [results.models[model].test_accuracy for model in REASONING_MODELS]
        cells = map(percent, (*scores, results.trivial_accuracy))
        rows.append([record.name, *cells, f"`{command(record)}`"])
    task = head("task", min(len(seeds_of(record)) for record in records))
    return markdown([task, *(LABELS[model] for model in REASONING_MODELS), "trivial score", "command"], rows)


def _there(record: Record, table: analysis.Table | None) -> analysis.Table:
    if table is None:
        raise ValueError(f"{record.name} has nothing for this table")
    return table
