"""`train` on a supervised task as a person sees it: live progress, tables at the end, figures and report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from relational_rnn.analysis import (
    Bar,
    RecordedMemory,
    accuracy_bars,
    binomial_half_width,
    cost_bars,
    cost_table,
    generalisation,
    generalisation_table,
    kinds_table,
    mean_curve,
    memory_table,
    model_costs,
    model_efficiencies,
    record_memory,
    sample_efficiency,
    seeds_table,
    size_axes,
    summary_table,
    thresholds,
    training_curves,
    write_report,
)
from relational_rnn.analysis.report import TO_NINETY
from relational_rnn.cli.memories import NUMPY_MODELS, RECORDED, show_memories
from relational_rnn.cli.progress import Display
from relational_rnn.cli.run import find_framework, make_console, print_table, seeds_in_words, train_and_show
from relational_rnn.reference import Classifier
from relational_rnn.tasks.babi import find
from relational_rnn.tasks.babi.synthetic import STORIES
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.training.common.core_settings import LABELS
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.supervised import (
    SupervisedSettings,
    contestants,
    held_out_data,
)
from relational_rnn.training.common.supervised_run import prepare, run
from relational_rnn.training.numpy.models import load_model


def train(task: str, settings: SupervisedSettings[Any], path: Path, resume: bool) -> int:
    """Run, then print the tables and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the settings do not fit; nothing has been done then.
    """
    console, folder, command = make_console(of_training=True), RunFolder(path), f"train {task}"
    if isinstance(settings.task, Babi):
        settings = dataclasses.replace(settings, task=with_stories(settings.task, console))
    framework = find_framework(settings.framework)
    prepare(task, settings, framework, folder, resume)
    sizes = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(settings.task).items())
    console.print(f"{task}: {sizes}; {seeds_in_words(settings)}, into {path}. Ctrl-C saves and stops.")

    def work() -> dict[str, Any]:
        labels = {c.name: c.label for c in contestants(settings)}
        with Display(console, labels, score="validation") as display:
            return run(
                task,
                settings,
                framework,
                folder,
                resume=resume,
                show=lambda c, record: display.show(c.name, record),
            )

    def present(results: dict[str, Any]) -> list[Path]:
        summary, count = summary_table(results), results["test_examples"]
        several = f" Means of {settings.seeds} seeds (lowest to highest)." if settings.seeds > 1 else ""
        print_table(
            console,
            summary,
            title=f"{task}: accuracy on {count:,} test examples; harder: {results['harder']}.{several}",
            caption=TO_NINETY,
        )
        kinds, costs = kinds_table(results), cost_table(results)
        for table, heading in ((kinds, "Test accuracy by kind of question."), (costs, "What a model costs.")):
            if table is not None:
                print_table(console, table, title=heading)
        if results["wall_seconds"] is not None:
            console.print(f"Wall time of all trainings: {results['wall_seconds']:.0f} s")
        figures = draw_figures(task, settings, folder, results)
        written = []
        found = [summary, kinds, costs, generalisation_table(results), seeds_table(results)]
        tables = [table for table in found if table is not None]
        if set(settings.models) & set(NUMPY_MODELS):
            drawn, memories = show_memories(*record_memories(task, settings, folder), folder)
            figures += drawn
            tables.append(memory_table(memories))
            written.append(folder.path / "memory.json")
        report = write_report(
            folder.report,
            folder.require(),
            title=task,
            explanation=f"Accuracy on {count:,} test examples ({sizes}) and on as many harder ones "
            f"({results['harder']}), for the parameters that did best on {settings.validation_examples:,} "
            f"others.{several} Bold: the best on test. Chance guesses; majority always tells the most "
            "frequent answer; a shortcut is a regularity that asks for no reasoning.",
            tables=tables,
            figures=figures,
        )
        return [*written, *figures, report]

    return train_and_show(console, folder, command, work, present)


def with_stories(task: Babi, console: Console) -> Babi:
    """Find the stories, or take synthetic ones, and say which in one line.

    Raises:
        ValueError: `data_dir` has no stories.
    """
    if task.synthetic:
        return task
    directory, how = find(None if task.data_dir is None else Path(task.data_dir), variant=task.variant)
    if directory is None:
        some = tuple(number for number in task.tasks if number in STORIES)
        task = dataclasses.replace(task, synthetic=True, tasks=some or tuple(STORIES))
        how += f"; tasks {', '.join(map(str, task.tasks))}"
    console.print(how)
    return task


def draw_figures(
    task: str, settings: SupervisedSettings[Any], folder: RunFolder, results: dict[str, Any]
) -> list[Path]:
    """Draw a run's scores into its plots; the trivial score is the best that asks for no reasoning."""
    title, plots = f"{task}, {settings.framework}", folder.plots
    trivial = {
        split: max(score for score in results["trivial"][split].values() if score is not None)
        for split in ("test", "harder")
    }
    evaluations = {c.name: folder.evaluations(c.name) for c in contestants(settings)}
    curves = [
        mean_curve(model, family, [evaluations[training["name"]] for training in model["trainings"]])
        for family, model in results["models"].items()
    ]
    best = max(r["validation_accuracy"] for records in evaluations.values() for r in records)
    accuracies = thresholds(trivial["test"], best)
    several = ", mean and range of the seeds" if settings.seeds > 1 else ""
    figures = [
        training_curves(
            curves,
            trivial_accuracy=trivial["test"],
            title=f"{title}: validation accuracy{several}",
            path=plots / "training_curves.png",
        ),
        sample_efficiency(
            model_efficiencies(results, evaluations, accuracies),
            accuracies=accuracies,
            title=f"{title}: examples until a validation accuracy",
            path=plots / "sample_efficiency.png",
        ),
    ]
    for split, heading in (("test", "test"), ("harder", f"harder test, {results['harder']}")):
        bars = [
            Bar(
                score["label"],
                family,
                score[f"{split}_accuracy"],
                binomial_half_width(score[f"{split}_accuracy"], results["test_examples"]),
            )
            for family, model in results["models"].items()
            for score in model["trainings"]
        ]
        figures.append(
            accuracy_bars(
                bars,
                trivial_accuracy=trivial[split],
                title=f"{title}: {heading}",
                path=plots / f"accuracy_{split}.png",
            )
        )
    if results["generalisation"]:  # else no size can grow
        heading = f"{title}: larger sizes than in training"
        figures.append(generalisation(size_axes(results), title=heading, path=plots / "generalisation.png"))
    figures.append(cost_bars(model_costs(results), title=f"{title}: cost", path=plots / "cost.png"))
    return figures


def record_memories(
    task: str, settings: SupervisedSettings[Any], folder: RunFolder
) -> tuple[dict[str, RecordedMemory], np.ndarray, str]:
    """Let the models of the first seed read test examples of one length.

    Returns:
        Their memories by label, the examples' mask (B, T), and in words what was read.
    """
    test = held_out_data(task, settings, settings.seed).test
    lengths, counts = np.unique(test.lengths, return_counts=True)
    length = int(lengths[counts.argmax()])  # steps of padding would be recorded like others
    chosen = np.flatnonzero(test.lengths == length)[:RECORDED]
    recorded = {}
    for model in settings.models:
        if model in NUMPY_MODELS:
            trained = load_numpy_model(folder.weights(f"{model}-{settings.seed}"), settings.framework)
            recorded[LABELS[model]] = record_memory(trained, test.inputs[chosen][:, :length])
    what = f"{task}, seed {settings.seed}, {len(chosen)} test examples of {length} steps"
    return recorded, test.mask[chosen][:, :length], what


def load_numpy_model(path: Path, framework: str) -> Classifier:
    """Return a saved model, or its NumPy twin."""
    if framework == "numpy":
        return load_model(path)[0]
    from relational_rnn.interop.classifier import numpy_classifier
    from relational_rnn.training.torch.supervised import load_model as load_torch_model

    return numpy_classifier(load_torch_model(path)[0])
