"""What a person sees of a run of any task: live progress, tables at the end, figures and the report."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from relational_rnn.analysis import (
    Bar,
    RecordedMemory,
    Table,
    accuracy_bars,
    binomial_half_width,
    cost_bars,
    cost_table,
    generalisation,
    generalisation_table,
    kinds_table,
    longer_table,
    memory_table,
    model_costs,
    model_efficiencies,
    record_memory,
    sample_efficiency,
    score_table,
    seeds_table,
    selected_only,
    size_axes,
    summary_table,
    thresholds,
    training_curves,
    ways_table,
    write_report,
)
from relational_rnn.analysis.run_curves import curves_of
from relational_rnn.analysis.style import can_draw
from relational_rnn.analysis.tables import TO_NINETY, divergences, marked
from relational_rnn.analysis.titles import title_of
from relational_rnn.cli.memories import NUMPY_MODELS, RECORDED, numpy_model, show_memories
from relational_rnn.cli.progress import Display
from relational_rnn.cli.run import make_console, print_table, seeds_in_words, train_and_show
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.splits import trivial_accuracy
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.results import RunResult
from relational_rnn.training.run import check, command_of, run
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.weights import load_weights

OWN_FIGURES = {"nth-farthest": "relational_rnn.cli.insides"}
"""Task -> the module whose `draw` adds figures that only this task has (torch)."""

EXPLANATION = (
    "Bold: the best on test. Chance guesses; majority always tells the most frequent answer; a shortcut is a "
    "regularity that asks for no reasoning."
)


def train(config: RunConfig[Any], path: Path, resume: bool) -> int:
    """Run, then print the tables and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the configuration does not fit; nothing has been done then.
    """
    console, folder = make_console(of_training=True), RunFolder(path)
    found = entry_of(config.task).resolve(config.task)
    if found is not None:
        console.print(found[1])
        config = dataclasses.replace(config, task=found[0])
    check(config)

    def work() -> RunResult:
        labels = {contestant.name: contestant.label for contestant in contestants(config)}
        with Display(console, labels, score="validation", stages=config.curriculum.grow) as display:
            return run(config, folder, resume=resume, show=lambda c, record: display.show(c.name, record))

    with folder.writing(command_of(config), config, resume):
        console.print(
            f"{title_of(config)}; {seeds_in_words(config)}, into {path}. "
            f"Trivial score: {trivial_of(config):.1%}. Ctrl-C saves and stops."
        )
        return train_and_show(
            console,
            folder,
            command_of(config),
            work,
            lambda results: present(console, config, folder, results),
        )


def trivial_of(config: RunConfig[Any]) -> float:
    """Return the score of the run's task that asks for no understanding."""
    return trivial_accuracy(entry_of(config.task).at_full_size(config.task))


def present(console: Console, config: RunConfig[Any], folder: RunFolder, results: RunResult) -> list[Path]:
    """Print the tables, draw the figures, write the report.

    Returns:
        The files written.
    """
    title, count, selected = title_of(config), results.test_examples, selected_only(results)
    several = f" Means of {config.seeds} seeds (lowest to highest)." if config.seeds > 1 else ""
    harder = "" if results.harder is None else f"; harder: {results.harder}"
    tables = print_tables(console, config, results, selected, f"{count:,} test examples{harder}.{several}")
    figures = draw_figures(config, folder, results, selected) if can_draw() else []
    written: list[Path] = []
    recorded, mask, what = record_memories(config, folder, selected)
    if recorded:
        drawn, memories = show_memories(recorded, mask, what, folder)
        figures += drawn
        tables.append(memory_table(memories))
        written.append(folder.path / "memory.json")
    own = OWN_FIGURES.get(entry_of(config.task).name)
    if own is not None and config.runtime.framework == "torch":
        drawn, files = importlib.import_module(own).draw(config, folder, results, title)
        figures += drawn
        written += files
    report = write_report(
        folder.report,
        folder.require(),
        title=title,
        explanation=" ".join(
            [
                f"Accuracy on {count:,} test examples{harder}, for the parameters that were kept.{several}",
                EXPLANATION,
                *divergences(results),
            ]
        ),
        tables=tables,
        figures=figures,
    )
    return [*written, *figures, report]


def print_tables(
    console: Console,
    config: RunConfig[Any],
    results: RunResult,
    selected: RunResult,
    what: str,
) -> list[Table]:
    """Print the tables that fit the screen; return all of them.

    Args:
        console: where to.
        config: of the run.
        results: of the run.
        selected: as `selected_only` returns it.
        what: the accuracies are of, in words.
    """
    summary = summary_table(selected)
    tables = [summary]
    print_table(console, summary, title=f"{title_of(config)}: accuracy on {what}", caption=TO_NINETY)
    if any(len(model.trainings) > len(model.selected) for model in results.models.values()):
        ways = ways_table(results) if config.seeds > 1 else score_table(results)
        print_table(console, ways, title="Every training.", caption="* counts for its model", mark="*")
        tables.append(ways)
    costs = cost_table(selected)
    for table, heading in (
        (kinds_table(results), "Test accuracy by kind of question."),
        (costs if len(results.models) > 1 else None, "What a model costs."),
    ):
        if table is not None:
            print_table(console, table, title=heading)
            tables.append(table)
    for told in divergences(results):
        console.print(told)
    if results.wall_seconds is not None:
        console.print(f"Wall time of all trainings: {results.wall_seconds:.0f} s")
    more = (generalisation_table(results), longer_table(selected), seeds_table(results))
    return [*tables, *(table for table in more if table is not None)]


def draw_figures(
    config: RunConfig[Any], folder: RunFolder, results: RunResult, selected: RunResult
) -> list[Path]:
    """Draw a run's scores into its plots; the trivial score is the best that asks for no reasoning."""
    title, plots = title_of(config), folder.plots
    trivial = {
        split: max(score for score in scores.values() if score is not None)
        for split, scores in results.trivial.items()
        if split in ("test", "harder")
    }
    names = [one.name for model in results.models.values() for one in model.trainings]
    evaluations = {name: folder.evaluations(name) for name in names}
    kept = [name for model in selected.models.values() for name in model.selected]
    best = max(point["validation_accuracy"] for name in kept for point in evaluations[name])
    accuracies = thresholds(trivial["test"], best)
    several = ", mean and range of the seeds" if config.seeds > 1 else ""
    figures = [
        training_curves(
            curves_of(config, results, folder),
            trivial_accuracy=trivial["test"],
            title=f"{title}: validation accuracy{several}",
            path=plots / "training_curves.png",
        ),
        sample_efficiency(
            model_efficiencies(selected, evaluations, accuracies),
            accuracies=accuracies,
            title=f"{title}: examples until a validation accuracy",
            path=plots / "sample_efficiency.png",
        ),
    ]
    for split, score in trivial.items():
        heading = "test" if split == "test" else f"harder test, {results.harder}"
        figures.append(
            accuracy_bars(
                _bars(results, f"{split}_accuracy"),
                trivial_accuracy=score,
                title=f"{title}: {heading}",
                path=plots / f"accuracy_{split}.png",
            )
        )
    if results.generalisation:  # else no size can grow
        heading = f"{title}: larger sizes than in training"
        figures.append(generalisation(size_axes(results), title=heading, path=plots / "generalisation.png"))
    figures.append(cost_bars(model_costs(selected), title=f"{title}: cost", path=plots / "cost.png"))
    return figures


def _bars(results: RunResult, name: str) -> list[Bar]:
    return [
        Bar(
            marked(score.label, [score]),
            family,
            getattr(score, name),
            binomial_half_width(getattr(score, name), results.test_examples),
            score.name in model.selected,
        )
        for family, model in results.models.items()
        for score in model.trainings
    ]


def record_memories(
    config: RunConfig[Any], folder: RunFolder, selected: RunResult
) -> tuple[dict[str, RecordedMemory], np.ndarray, str]:
    """Let the models that have a NumPy twin read test examples of one length, as the first seed left them.

    Returns:
        Their memories by label, the examples' mask (B, T), and in words what was read.
    """
    test = splits_of(alone(config, config.seed)).test
    lengths = getattr(test, "lengths", np.full(len(test.inputs), np.shape(test.inputs[:1])[1]))
    values, counts = np.unique(lengths, return_counts=True)
    length = int(values[counts.argmax()])  # steps of padding would be recorded like others
    chosen = np.flatnonzero(lengths == length)[:RECORDED]
    inputs = np.asarray(test.inputs[chosen])[:, :length]
    if np.ndim(test.targets[:1]) > 1:
        mask = np.asarray(test.mask[chosen])[:, :length]
    else:
        mask = np.zeros(inputs.shape[:2], dtype=bool)
        mask[:, -1] = True
    recorded = {}
    for name, model in selected.models.items():
        twin = numpy_model(load_weights(folder.weights(model.selected[0]))) if name in NUMPY_MODELS else None
        if twin is not None:
            recorded[config.specs[name].label] = record_memory(twin, inputs)
    what = f"{title_of(config)}, seed {config.seed}, {len(chosen)} test examples of {length} steps"
    return recorded, mask, what
