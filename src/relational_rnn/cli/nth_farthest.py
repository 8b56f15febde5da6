"""`train nth-farthest` as a person sees it: live progress, the table at the end, figures and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.analysis import (
    Bar,
    Curve,
    RecordedMemory,
    StageChange,
    accuracy_bars,
    attention_example,
    attention_heatmap,
    attention_shares,
    binomial_half_width,
    cost_bars,
    cost_table,
    counting_only,
    longer_table,
    mean_curve,
    memory_table,
    mistakes,
    mistakes_figure,
    model_costs,
    model_efficiencies,
    record_memory,
    sample_efficiency,
    score_table,
    slot_contents,
    slot_contents_figure,
    slot_record,
    thresholds,
    training_curves,
    ways_table,
    write_report,
)
from relational_rnn.analysis.report import TO_NINETY
from relational_rnn.cli.memories import NUMPY_MODELS, RECORDED, show_memories
from relational_rnn.cli.progress import Display
from relational_rnn.cli.run import make_console, print_table, seeds_in_words, train_and_show
from relational_rnn.interop.classifier import numpy_classifier
from relational_rnn.nn import SequenceClassifier
from relational_rnn.nn.variant import VariantRelationalMemory
from relational_rnn.tasks.nth_farthest import sample
from relational_rnn.training.common.core_settings import LABELS
from relational_rnn.training.common.files import write_json
from relational_rnn.training.common.nth_farthest import (
    PICTURE,
    TEST,
    NthFarthestSettings,
    held_out_batch,
)
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.torch.attention import record_attention_at, record_memories, record_questions
from relational_rnn.training.torch.loop import predict
from relational_rnn.training.torch.models import contestants, load_model
from relational_rnn.training.torch.run import COMMAND, prepare, run

ATTENDED = 500
"""Questions over which attention is averaged."""


def train(settings: NthFarthestSettings, path: Path, resume: bool) -> int:
    """Run, then print the table and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the settings do not fit; nothing has been done then.
    """
    console, folder = make_console(of_training=True), RunFolder(path)
    prepare(settings, folder, resume)
    task, title = settings.task, settings.title
    console.print(
        f"{title}, {seeds_in_words(settings)}, into {path}. "
        f"Trivial score: {task.trivial_accuracy:.1%}. Ctrl-C saves and stops."
    )

    def work() -> dict[str, Any]:
        labels = {c.name: c.label for c in contestants(settings)}
        with Display(console, labels, score="full task", stages=True) as display:
            return run(settings, folder, resume=resume, show=lambda c, record: display.show(c.name, record))

    def present(results: dict[str, Any]) -> list[Path]:
        count, trivial = results["test_examples"], results["trivial_accuracy"]
        tables, counting = [score_table(results)], counting_only(results)
        meaning = "± 95 % interval of the examples drawn"
        if settings.seeds > 1:
            tables.insert(0, ways_table(results))
            meaning = f"means of {settings.seeds} seeds (lowest to highest)"
        costs = cost_table(counting)
        print_table(
            console,
            tables[0],
            title=f"Nth farthest {task.objects}x{task.dimensions}: {count:,} fresh examples, "
            f"trivial score {trivial:.1%}",
            caption=f"* counts for its model; {meaning}; {TO_NINETY}",
            mark="*",
        )
        if costs is not None and len(settings.models) > 1:
            print_table(console, costs, title="What a model costs.")
        if results["wall_seconds"] is not None:
            console.print(f"Wall time of all trainings: {results['wall_seconds']:.0f} s")
        tables += [found for found in (costs, longer_table(counting)) if found is not None]
        figures = draw_figures(settings, folder, results, counting)
        recorded, mask, what = record_memories_of_models(settings, folder, counting)
        if recorded:
            drawn, memories = show_memories(recorded, mask, what, folder)
            figures += drawn
            tables.append(memory_table(memories))
        report = write_report(
            folder.report,
            folder.require(),
            title=title,
            explanation=f"Accuracy on {count:,} fresh examples of the full task, with the 95 % interval of "
            f"the draw. A model that knows nothing of distances scores {trivial:.1%}. "
            "Bold: the training that counts for its model. Then how these do with more steps among those of "
            "the same sequences: distractors are vectors without a label, repeats objects shown once more.",
            tables=tables,
            figures=figures,
        )
        return [*figures, report]

    return train_and_show(console, folder, COMMAND, work, present)


def draw_figures(
    settings: NthFarthestSettings, folder: RunFolder, results: dict[str, Any], counting: dict[str, Any]
) -> list[Path]:
    """Draw curves, bars, what learning took and, if there is an RMC, what it does, into the run's plots.

    Args:
        settings: of the run.
        folder: of the run.
        results: content of results.json.
        counting: as `counting_only` returns it.
    """
    trivial = results["trivial_accuracy"]
    title = settings.title
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
    evaluations = {
        name: folder.evaluations(name) for model in counting["models"].values() for name in model["counting"]
    }
    best = max(r["validation_accuracy"] for records in evaluations.values() for r in records)
    accuracies = thresholds(trivial, best)
    figures.append(
        sample_efficiency(
            model_efficiencies(counting, evaluations, accuracies),
            accuracies=accuracies,
            title=f"{title}: examples until a validation accuracy",
            path=plots / "sample_efficiency.png",
        )
    )
    if cost_table(counting) is not None:
        costs = model_costs(counting)
        figures.append(cost_bars(costs, title=f"{title}: cost", path=plots / "cost.png"))
    errors = find_mistakes(folder, results)
    write_json(folder.path / "mistakes.json", errors)
    figures.append(
        mistakes_figure(
            errors,
            title=f"{title}: which questions are answered wrongly",
            path=plots / "mistakes.png",
        )
    )
    if "rmc" in results["models"]:
        model, _, _ = load_model(folder.weights(results["models"]["rmc"]["name"]))
        drawn, numbers = draw_insides(model, settings, title, plots)
        for name, record in numbers.items():
            write_json(folder.path / f"{name}.json", record)
        figures += drawn
    return figures


def draw_insides(
    model: SequenceClassifier, settings: NthFarthestSettings, title: str, plots: Path
) -> tuple[list[Path], dict[str, Any]]:
    """Draw what an RMC attends to and what its slots hold, and count both.

    Args:
        model: with a trained RMC.
        settings: of its training.
        title: begins that of each figure.
        plots: folder of the figures.

    Returns:
        The figures, and the numbers by name: "slots" and, where steps come before and after a reference in
        the middle, "attention".
    """
    generator = np.random.default_rng([settings.seed, PICTURE])
    recorded = record_questions(model, settings.task, generator)
    attended = attention_heatmap(
        [attention_example(one) for one in recorded],
        title=f"{title}: what the slots attend to",
        path=plots / "attention_heatmap.png",
    )
    examples = max(settings.test_examples, 64 * settings.objects)  # fewer can not be decoded
    last_step, middle_step = settings.objects - 1, settings.objects // 2
    last, middle = (
        record_memories(model, settings.task, generator, examples=examples, step=step)
        for step in (last_step, middle_step)
    )
    contents = slot_contents(last, middle)
    held = slot_contents_figure(
        contents, title=f"{title}: what the slots hold", path=plots / "slot_contents.png"
    )
    numbers: dict[str, Any] = {"slots": slot_record(contents)}
    if 0 < middle_step < last_step:
        asked = record_attention_at(model, settings.task, generator, examples=ATTENDED, step=middle_step)
        numbers["attention"] = attention_shares(asked)
    return [attended, held], numbers


def find_mistakes(folder: RunFolder, results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return which of its test examples each model's best training gets wrong, see `analysis.mistakes`."""
    found = {}
    for name, score in results["models"].items():
        model, settings, contestant = load_model(folder.weights(score["name"]))
        batch = held_out_batch(settings, settings.test_examples, TEST)
        found[name] = {"label": contestant.label, **mistakes(batch, predict(model, batch.inputs).numpy())}
    return found


def record_memories_of_models(
    settings: NthFarthestSettings, folder: RunFolder, counting: dict[str, Any]
) -> tuple[dict[str, RecordedMemory], np.ndarray, str]:
    """Let the models that have a NumPy twin read test examples, each as its first seed that counts left it.

    Returns:
        Their memories by label, the examples' mask (B, T), and in words what was read.
    """
    batch = sample(settings.task, RECORDED, np.random.default_rng([settings.seed, PICTURE]))
    mask = np.zeros(batch.labels.shape, dtype=bool)
    mask[:, -1] = True
    recorded = {}
    for name, model in counting["models"].items():
        if name not in NUMPY_MODELS:
            continue
        trained, _, _ = load_model(folder.weights(model["counting"][0]))
        if not isinstance(trained.core, VariantRelationalMemory):
            recorded[LABELS[name]] = record_memory(numpy_classifier(trained), batch.inputs)
    what = f"Nth farthest, seed {settings.seed}, {RECORDED} fresh examples of {settings.task.steps} steps"
    return recorded, mask, what


def _mean_curves(model: str, results: dict[str, Any], folder: RunFolder) -> list[Curve]:
    """Return a model's curves, one for each of its ways to the task: mean and range over the seeds."""
    trainings = results["models"][model]["trainings"]
    count = len(trainings) // results["seeds"]
    found = []
    for way in range(count):
        points = [folder.evaluations(training["name"]) for training in trainings[way::count]]
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
