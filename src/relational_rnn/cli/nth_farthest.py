"""`train nth-farthest` as a person sees it: live progress, the table at the end, figures and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.analysis import (
    Bar,
    Curve,
    StageChange,
    accuracy_bars,
    attention_example,
    attention_heatmap,
    binomial_half_width,
    longer_table,
    mean_curve,
    score_table,
    slot_contents,
    slot_contents_figure,
    slot_record,
    training_curves,
    write_report,
)
from relational_rnn.cli.progress import Display
from relational_rnn.cli.run import make_console, print_table, train_and_show
from relational_rnn.training.common.files import write_json
from relational_rnn.training.common.nth_farthest import PICTURE, NthFarthestSettings
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.torch.attention import record_memories, record_questions
from relational_rnn.training.torch.models import contestants, load_model
from relational_rnn.training.torch.run import COMMAND, prepare, run


def train(settings: NthFarthestSettings, path: Path, resume: bool) -> int:
    """Run, then print the table and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the settings do not fit; nothing has been done then.
    """
    console, folder = make_console(), RunFolder(path)
    prepare(settings, folder, resume)
    task = settings.task
    title = f"Nth farthest, {task.objects} vectors of {task.dimensions} dimensions"
    last = settings.seed + settings.seeds - 1
    seeds = f"seed {settings.seed}" if settings.seeds == 1 else f"seeds {settings.seed} to {last}"
    console.print(
        f"{title}, {seeds}, into {path}. Trivial score: {task.trivial_accuracy:.1%}. Ctrl-C saves and stops."
    )

    def work() -> dict[str, Any]:
        labels = {c.name: c.label for c in contestants(settings)}
        with Display(console, labels, score="full task", stages=True) as display:
            return run(settings, folder, resume=resume, show=lambda c, record: display.show(c.name, record))

    def present(results: dict[str, Any]) -> list[Path]:
        table, count, trivial = score_table(results), results["test_examples"], results["trivial_accuracy"]
        print_table(
            console,
            table,
            title=f"Nth farthest {task.objects}x{task.dimensions}: {count:,} fresh examples, "
            f"trivial score {trivial:.1%}",
            caption="* counts for its model; ± 95 % interval of the examples drawn",
            mark="*",
        )
        if results["wall_seconds"] is not None:
            console.print(f"Wall time of all trainings: {results['wall_seconds']:.0f} s")
        longer = longer_table(results)
        figures = draw_figures(settings, folder, results)
        report = write_report(
            path / "report.html",
            folder.require(),
            title=title,
            explanation=f"Accuracy on {count:,} fresh examples of the full task, with the 95 % interval of "
            f"the draw. A model that knows nothing of distances scores {trivial:.1%}. "
            "Bold: the training that counts for its model. Then how these do with more steps among those of "
            "the same sequences: distractors are vectors without a label, repeats objects shown once more.",
            tables=[table] if longer is None else [table, longer],
            figures=figures,
        )
        return [*figures, report]

    return train_and_show(console, folder, COMMAND, work, present)


def draw_figures(settings: NthFarthestSettings, folder: RunFolder, results: dict[str, Any]) -> list[Path]:
    """Draw curves, bars and, if there is an RMC, its attention, into the run's plots."""
    trivial = results["trivial_accuracy"]
    title = f"Nth farthest, {settings.objects} vectors of {settings.dimensions} dimensions"
    scores = [(model, s) for model, m in results["models"].items() for s in m["trainings"]]
    if settings.seeds == 1:
        curves = [_curve(model, score, folder, settings) for model, score in scores]
    else:
        curves = [curve for model in results["models"] for curve in _mean_curves(model, results, folder)]
    bars = [
        Bar(
            score["label"],
            model,
            score["test_accuracy"],
            binomial_half_width(score["test_accuracy"], results["test_examples"]),
            score["name"] == results["models"][model]["name"],
        )
        for model, score in scores
    ]
    plots = folder.plots
    figures = [
        training_curves(curves, trivial_accuracy=trivial, title=title, path=plots / "training_curves.png"),
        accuracy_bars(bars, trivial_accuracy=trivial, title=title, path=plots / "accuracy.png"),
    ]
    if "rmc" in results["models"]:
        model, _, _ = load_model(folder.weights(results["models"]["rmc"]["name"]))
        generator = np.random.default_rng([settings.seed, PICTURE])
        recorded = record_questions(model, settings.task, generator)
        figures.append(
            attention_heatmap(
                [attention_example(one) for one in recorded],
                title=f"{title}: what the slots attend to",
                path=plots / "attention_heatmap.png",
            )
        )
        last, middle = (
            record_memories(model, settings.task, generator, examples=settings.test_examples, step=step)
            for step in (settings.objects - 1, settings.objects // 2)
        )
        contents = slot_contents(last, middle)
        write_json(folder.path / "slots.json", slot_record(contents))
        figures.append(
            slot_contents_figure(
                contents, title=f"{title}: what the slots hold", path=plots / "slot_contents.png"
            )
        )
    return figures


def _mean_curves(model: str, results: dict[str, Any], folder: RunFolder) -> list[Curve]:
    """Return a model's curves, one for each of its ways to the task: mean and range over the seeds."""
    trainings = results["models"][model]["trainings"]
    count = len(trainings) // results["seeds"]
    found = []
    for way in range(count):
        points = [
            [r for r in folder.records(training["name"]) if "validation_accuracy" in r]
            for training in trainings[way::count]
        ]
        label = trainings[way]["label"].rsplit(", seed ", 1)[0]
        found.append(mean_curve({"label": label}, model, points))
    return found


def _curve(model: str, score: dict[str, Any], folder: RunFolder, settings: NthFarthestSettings) -> Curve:
    records = folder.records(score["name"])
    points = [r for r in records if "validation_accuracy" in r]
    stages = []
    for step, objects, dimensions in score["changes"]:
        seconds = next((r["seconds"] for r in records if r["step"] >= step), score["seconds"])
        stages.append(StageChange(step, step * settings.batch_size, seconds, objects, dimensions))
    return Curve(
        score["label"],
        model,
        [p["seconds"] for p in points],
        [p["examples"] for p in points],
        [p["validation_accuracy"] for p in points],
        stages if model == "rmc" else [],
    )
