"""Figures of the pages: copied from a run, or drawn from records and packaged weights."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis.factor_overview import Row
from relational_rnn.analysis.factors import Level
from relational_rnn.analysis.titles import title_of
from relational_rnn.experiments.many import title_of_experiment
from relational_rnn.training.files import write_atomically, write_text
from relational_rnn.training.pretrained import find_pretrained
from relational_rnn.training.results import TrainingResult
from tools.publish.compared import selected, together
from tools.publish.manifest import FIGURES, MANIFEST, OPPONENTS, WHY
from tools.publish.records import (
    PRETRAINED,
    RESULTS,
    Record,
    config_of,
    experiment_of,
    groups_of,
    read_group,
    read_record,
    results_of,
    trainings_of,
)

FOLDER: Final = RESULTS / "figures"

WHY_GROUPS: Final = {name for _, base, changes in WHY for name, _ in (base, *changes.values())}
"""The ablations that the figure on the public ports shows."""


def copy(figure: Path, target: Path) -> None:
    """Copy a figure, all of it or nothing."""
    write_atomically(target, lambda temporary: shutil.copyfile(figure, temporary))


def copy_figures(name: str, run: Path) -> None:
    """Copy the figures of a run that pages show."""
    for figure in sorted((run / "plots").glob("*.png")):
        if name in FIGURES.get(figure.stem, ()):
            copy(figure, FOLDER / f"{name}_{figure.name}")


def draw(name: str | None = None) -> None:
    """Draw what is drawn from records.

    Args:
        name: of a record; only what shows it is drawn.
    """
    for figure, names in FIGURES.items():
        for shown in names if name is None else {name} & set(names):
            for group in groups_of(shown).values():
                if group.kind in ("training", "ablation"):
                    draw_record(read_record(shown, group), figure)
    if name is None or name in MANIFEST[OPPONENTS].records:
        draw_opponents()
    if name is None or any(name in MANIFEST[group].records for group in WHY_GROUPS):
        draw_why()


def draw_record(record: Record, figure: str) -> None:
    """Draw a figure of a training on Nth farthest, if it is drawn from its record, or of an ablation."""
    path = FOLDER / f"{record.name}_{figure}.png"
    if record.group.kind == "ablation":
        results = titled(record)
        if figure == "all_factors":
            analysis.overview_figure(results, path)
        else:
            analysis.factor_figure(results, figure, path)
    elif figure == "training_curves":
        curves = [
            training_curve(model, score, record)
            for model, scores in trainings_of(record).items()
            for score in scores
        ]
        trivial = results_of(record).trivial_accuracy
        title = title_of(config_of(record))
        analysis.training_curves(curves, trivial_accuracy=trivial, title=title, path=path)


def titled(record: Record) -> dict[str, object]:
    """Return the results of an ablation with what its figures have above them."""
    results = experiment_of(record)
    how, *_ = shlex.split(record.content["config"]["command"])
    return {**results, "title": title_of_experiment(how, config_of(record), results["factors"])}


def training_curve(model: str, score: TrainingResult, record: Record) -> analysis.Curve:
    """Return the curve of one training of a record, with the growth of the task if it is an RMC's."""
    points = record.content["evaluations"][score.name]
    examples, seconds = ([point[name] for point in points] for name in ("examples", "seconds"))
    stages = []
    for step, sizes in (score.changes or ()) if model == "rmc" else ():
        before = step * config_of(record).budget.batch_size
        when = float(np.interp(before, examples, seconds))
        stages.append(analysis.StageChange(step, before, when, sizes))
    return analysis.Curve(
        score.label, model, seconds, examples, [point["validation_accuracy"] for point in points], stages
    )


def draw_opponents() -> None:
    """Draw the curves of the comparisons at the paper's size, of each model its best training regime."""
    records = read_group(MANIFEST[OPPONENTS])
    results = together(records)
    evaluations = {
        f"{training} of {record.name}": points
        for record in records
        for training, points in record.content["evaluations"].items()
    }
    curves = [
        analysis.mean_curve(model.label, name, [evaluations[training] for training in model.selected])
        for name, model in selected(results).models.items()
    ]
    analysis.training_curves(
        curves,
        trivial_accuracy=results.trivial_accuracy,
        title="Nth farthest, 8 vectors of 16 dimensions, each model's best way to it",
        path=FOLDER / f"{OPPONENTS}_training_curves.png",
    )


def draw_why() -> None:
    """Draw what keeps the public ports from learning: a port, mended in one thing, and the core, broken."""
    ablations = {name: experiment_of(*read_group(MANIFEST[name])) for name in WHY_GROUPS}
    variants = {
        (name, variant["name"]): variant
        for name, results in ablations.items()
        for variant in results["variants"]
    }
    rows: list[Row] = []
    for heading, base, changes in WHY:
        rows.append(Row(heading, Level(None, base == ("why", "base"), [variants[base]]), name=True))
        rows += [Row(text, Level(None, False, [variants[of]]), name=False) for text, of in changes.items()]
    title = "Why the public ports stay at the trivial score: 3 vectors of 16 dimensions, 3,000 steps of Adam"
    analysis.overview_figure({**ablations["why"], "title": title}, FOLDER / "why_the_ports_stay.png", rows)


def draw_pretrained() -> None:
    """Draw what the packaged cores of the pages attend to and hold; record that and their mistakes."""
    from relational_rnn.cli.insides import draw_insides, mistakes_of  # these need torch, the pages do not
    from relational_rnn.training.weights import load_weights

    for weights in (find_pretrained(record.stem) for record in sorted(PRETRAINED.glob("*.json"))):
        trained = load_weights(weights)
        with tempfile.TemporaryDirectory() as folder:
            title = f"{weights.stem}, the pretrained core"
            figures, numbers = draw_insides(trained.model, trained.config, title, Path(folder))
            for figure in figures:
                copy(figure, FOLDER / f"pretrained-{weights.stem}_{figure.name}")
        numbers["mistakes"] = {"rmc": mistakes_of(trained)}
        write_text(PRETRAINED / f"{weights.stem}.json", json.dumps(numbers, indent=1) + "\n")
