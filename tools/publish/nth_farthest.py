"""Tables of the RMC's trainings on Nth farthest, a row a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relational_rnn import analysis
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import value_of
from tools.publish.records import Record, command, config_of, results_of, rmc_of, score_of, trainings_of
from tools.publish.text import ONE_SEED, as_markdown, head, in_sentence, markdown, percent, whole_percent

MILESTONES: Final = (0.5, 0.75, 0.91, 0.95, 0.97)
"""91 % is the paper's own score."""

SEED: Final = f"{ONE_SEED} a row"

LSTM, TIME_OF_ALL = "LSTM, best of three", "time of all"
"""Columns of a table of seeds that only runs with an LSTM fill."""

PRESETS: Final = ("quick", "paper8x16")
RECIPE: Final = (
    *("objects", "dimensions", "mem_slots", "head_size", "num_heads", "attention_mlp_layers"),
    *("head_layers", "head_units", "head_activation", "steps", "batch_size", "optimiser", "learning_rate"),
    *("warmup_steps", "final_share", "clip_norm", "average_decay", "start", "growth_threshold"),
)
"""Settings of the presets that the page on Nth farthest shows."""


def seeds_table(records: Sequence[Record]) -> str:
    """Return one row a run: the scores that count; a column for the LSTM if any has one."""
    rows = []
    for record in records:
        results, rmc, lstm = results_of(record), rmc_of(record), score_of(record, "lstm")
        alone = lstm is None or results.wall_seconds is None
        rows.append(
            {
                SEED: str(results.seed),
                "RMC": percent(rmc.test_accuracy),
                LSTM: "-" if lstm is None else percent(lstm.test_accuracy),
                "trivial score": percent(results.trivial_accuracy),
                "RMC's time": f"{rmc.seconds:.0f} s",
                TIME_OF_ALL: "-" if alone else f"{results.wall_seconds:.0f} s",
                "command": f"`{command(record)}`",
            }
        )
    rivals = any(row[LSTM] != "-" for row in rows)
    columns = [column for column in rows[0] if rivals or column not in (LSTM, TIME_OF_ALL)]
    return markdown(columns, [[row[column] for column in columns] for row in rows])


def recipe_table() -> str:
    """Return what the presets of Nth farthest train with, a row a setting in which people are interested."""
    presets = [find_recipe("nth-farthest", preset) for preset in PRESETS]
    rows = [[f"`{name}`", *(_told(value_of(config, name)) for config in presets)] for name in RECIPE]
    return markdown(["setting", *(f"`{preset}`" for preset in PRESETS)], rows)


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def trainings_table(records: Sequence[Record]) -> str:
    """Return one row a training of the first run; in bold those of its model's best regime."""
    rows = []
    for model, scores in trainings_of(records[0]).items():
        selected = score_of(records[0], model)
        for score in scores:
            bold = "**" if selected is not None and score.name == selected.name else ""
            rows.append(
                [
                    f"{bold}{score.label}{bold}",
                    f"{bold}{percent(score.test_accuracy)}{bold}",
                    f"{score.seconds:.0f}",
                    f"{score.examples:,}",
                    f"{score.parameters:,}",
                ]
            )
    return markdown([head("training", 1), "test accuracy", "seconds", "examples", "parameters"], rows)


def milestones_table(records: Sequence[Record]) -> str:
    """Return when each run's RMC reached some accuracies on the validation examples for the first time."""
    rows = []
    for record in records:
        rmc = rmc_of(record)
        cells = [str(results_of(record).seed), f"{rmc.steps:,}"]
        for share in MILESTONES:
            points = record.content["evaluations"][rmc.name]
            reached = [point for point in points if point["validation_accuracy"] >= share]
            told = [f"{p['seconds'] / 60:.1f} min, {p['examples'] / 1e6:.1f} M examples" for p in reached]
            cells.append(told[0] if told else "-")
        rows.append(cells)
    return markdown([SEED, "steps", *map(whole_percent, MILESTONES)], rows)


def growth_table(records: Sequence[Record]) -> str:
    """Return when the task grew under the RMC of the first run."""
    batch = config_of(records[0]).budget.batch_size
    rows = [
        [" x ".join(map(str, change.sizes.values())), f"{change.step:,}", f"{change.step * batch:,}"]
        for change in rmc_of(records[0]).changes or ()
    ]
    return markdown([head("task", 1), "from step", "examples before"], rows)


def run_label(record: Record) -> str:
    """Return what tells a run of a group from the others."""
    return f"seed {results_of(record).seed}, {rmc_of(record).steps:,} steps"


def score(records: Sequence[Record]) -> str:
    """Return the RMC's test accuracy over the seeds, for a sentence.

    Raises:
        ValueError: there are too few seeds, or two records of one seed.
    """
    scores = {results_of(record).seed: rmc_of(record).test_accuracy for record in records}
    names = ", ".join(record.name for record in records)
    if len(scores) < len(records):
        raise ValueError(f"two records of one seed give no mean: {names}")
    return in_sentence(names, "{}", scores)


def longer_table(records: Sequence[Record]) -> str:
    """Return how the RMC of each run does with more steps than in training, a row a run."""
    rows, columns = [], tuple[str, ...]()
    for record in records:
        table = analysis.longer_table(analysis.selected_only(results_of(record)))
        if table is None:
            raise ValueError(f"{record.name} has no scores of longer sequences")
        columns = table.columns
        rows.append((False, [run_label(record), *table.rows[0][1][1:]]))  # the RMC comes first
    return as_markdown(analysis.Table(columns, rows), f"run, {SEED}")
