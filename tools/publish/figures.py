"""Figures of the pages: copied from a run, or drawn from records and packaged weights."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis import run_curves, run_figures
from relational_rnn.analysis.factor_overview import Row
from relational_rnn.analysis.factors import Level
from relational_rnn.analysis.finding import NEAR
from relational_rnn.analysis.headlines import joined, scores_in_words
from relational_rnn.experiments.many import title_of_experiment
from relational_rnn.training.files import read_json, write_atomically, write_text
from relational_rnn.training.pretrained import find_pretrained
from tools.publish.compared import selected, together
from tools.publish.manifest import BASE, FIGURES, MANIFEST, OPPONENTS, RECALL, SHOWN, TRACKING, WHY
from tools.publish.records import (
    PRETRAINED,
    RESULTS,
    Json,
    Record,
    config_of,
    experiment_of,
    groups_of,
    read_group,
    read_record,
    results_of,
)

if TYPE_CHECKING:
    from relational_rnn.training.results import ModelResult, RunResult, TrainingResult
    from relational_rnn.training.weights import Trained

FOLDER: Final = RESULTS / "figures"

WHY_GROUPS: Final = {name for _, changes in WHY for found in changes.values() for name, _ in found}
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
                draw_record(read_record(shown, group), figure)
    if name is None or name in MANIFEST[OPPONENTS].records:
        draw_opponents()
    if name is None or any(name in MANIFEST[group].records for group in WHY_GROUPS):
        draw_why()
    if name is None or name in (*RECALL, *TRACKING):
        draw_recall_and_tracking()


def draw_record(record: Record, figure: str) -> None:
    """Draw a figure of a record, if what it shows is in there: else it is copied from the run."""
    path = FOLDER / f"{record.name}_{figure}.png"
    if record.group.kind == "ablation":
        results = titled(record)
        if figure == "all_factors":
            analysis.overview_figure(results, path)
        else:
            analysis.factor_figure(results, figure, path)
        return
    config, run = config_of(record), results_of(record)
    about = run_figures.about_run(config, run)
    if figure == "training_curves":
        analysis.save(run_figures.curves_figure(config, run, record.content["evaluations"]), path)
    elif figure == "sample_efficiency":
        analysis.save(run_figures.efficiency_figure(config, run, record.content["evaluations"]), path)
    elif figure == "accuracy_test":
        analysis.save(run_figures.accuracy_figure(config, run, "test"), path)
    elif figure == "generalisation":
        analysis.save(run_figures.generalisation_figure(config, run), path)
    elif figure == "mistakes":
        found = {
            name: {"label": run.models[name].label, **one} for name, one in record.content["mistakes"].items()
        }
        title = analysis.mistakes_in_words(found)
        analysis.mistakes_figure(found, title=title, about=about, path=path)
    elif figure == "slot_contents":
        draw_slots(record.content["slots"], about, path)


def draw_slots(recorded: Json, about: str, path: Path) -> None:
    """Draw what slots hold, as a record has it."""
    contents = analysis.SlotContents(
        np.array(recorded["by_label"]),
        np.array(recorded["from_vacant"]),
        recorded["by_step"],
        recorded["reference_step"],
        {int(step): kinds for step, kinds in recorded["readings"].items()},
    )
    title = analysis.slots_in_words(contents)
    analysis.slot_contents_figure(contents, title=title, about=about, path=path)


def titled(record: Record) -> dict[str, object]:
    """Return the results of an ablation with what its figures have above them."""
    results = experiment_of(record)
    how, *_ = shlex.split(record.content["config"]["command"])
    return {**results, "title": title_of_experiment(how, config_of(record), results["factors"])}


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
    trivial = results.trivial_accuracy
    analysis.training_curves(
        curves,
        trivial_accuracy=trivial,
        title=scores_in_words(run_curves.last_of_each(results, curves), trivial),
        about="Nth farthest, 8 vectors of 16 dimensions: validation accuracy, each model with its best "
        f"training regime, {results.seeds} seeds",
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
    for heading, changes in WHY:
        rows.append(Row(heading, None, name=True))
        for text, found in changes.items():
            level = Level(None, found == BASE, [variants[one] for one in found])
            rows.append(Row(text, level, name=False))
    learned = [
        row.text
        for row in rows[1 : 1 + len(WHY[0][1])]
        if row.level
        and min(row.level.scores("rmc", "test_accuracy")) > variants[BASE[0]]["trivial_accuracy"] + NEAR
    ]
    title = f"Of what repairs a public port, only this lets every seed learn: {joined(learned)}"
    about = (
        "Nth farthest, 3 vectors of 16 dimensions, 3,000 steps of Adam at a learning rate of 0.004, 3 seeds"
    )
    results = {**ablations["why"], "title": about}
    analysis.overview_figure(results, FOLDER / "why_the_ports_stay.png", rows, title)


BOTH: Final = 0.5
"""What each seed of a model needs on both tasks to stand in the title."""
LONGER: Final = 8
"""Times the length of training at which tracking is scored."""


def draw_recall_and_tracking() -> None:
    """Draw how well models recall associations, across, and track a state, up."""
    recall, tracking = (_models_of(names) for names in (RECALL, TRACKING))
    (pairs,) = {results.size["pairs"] for results, _ in recall.values()}
    (trained,) = {int(results.size["length"]) for results, _ in tracking.values()}
    length, seeds = LONGER * trained, {results.seeds for results, _ in (*recall.values(), *tracking.values())}
    places = [
        analysis.Place(
            model.label,
            name,
            [score.test_accuracy for score in recall[name][1].trainings],
            [_last_product(score, length) for score in model.trainings],
        )
        for name, (_, model) in tracking.items()
        if name in recall
    ]
    good = [place.name for place in places if min(*place.across, *place.up) >= BOTH]
    who = f"only {joined(good)}" if good else "no model"
    figure = analysis.draw_plane(
        places,
        across=f"recall: values right, {pairs} pairs",
        up=f"tracking: last of {length} products right",
        title=f"Of {len(places)} models {who} gets more than half right of both, with every seed",
        about=f"{joined(sorted(map(str, seeds)))} seeds, equal parameters, each model tuned, "
        f"trained on {trained} products",
    )
    analysis.save(figure, FOLDER / "recall_and_tracking.png")


def _models_of(names: Sequence[str]) -> dict[str, tuple[RunResult, ModelResult]]:
    """Return the models of records, each with the results of its run."""
    found = [results_of(record) for name in names for record in read_group(MANIFEST[name])]
    return {name: (results, model) for results in found for name, model in results.models.items()}


def _last_product(score: TrainingResult, length: int) -> float:
    words = score.more["long_words"]
    assert isinstance(words, Mapping)
    return float(words["last"][list(words["length"]).index(length)])


def draw_pretrained() -> None:
    """Draw what packaged cores attend to and what their slots hold.

    What they are like inside is recorded once, for that takes minutes; without its file it is recorded again.
    """
    from relational_rnn.training.weights import load_weights  # needs torch, the pages do not

    for weights in map(find_pretrained, SHOWN):
        trained, file = load_weights(weights), PRETRAINED / f"{weights.stem}.json"
        if not file.exists():
            record_inside(trained, file)
        about, path = f"The packaged core {weights.stem}", FOLDER / f"pretrained-{weights.stem}"
        slots = read_json(file)["slots"]
        draw_slots(slots, f"{about}: what its slots hold", path.with_name(f"{path.name}_slot_contents.png"))
        draw_attention(trained, about, path.with_name(f"{path.name}_attention.png"))


def record_inside(trained: Trained, file: Path) -> None:
    """Record what the slots of a packaged core hold, where its heads look, and its mistakes."""
    from relational_rnn.cli.insides import look_inside, mistakes_of

    numbers = look_inside(trained.model, trained.config)[1]
    numbers["mistakes"] = {"rmc": mistakes_of(trained)}
    write_text(file, json.dumps(numbers, indent=1) + "\n")


def draw_attention(trained: Trained, about: str, path: Path) -> None:
    """Draw what a packaged core attends to on a fresh question whose reference is in the middle."""
    from relational_rnn.training.learners.recording import record_attention_at

    step = trained.task.objects // 2
    recorded = record_attention_at(
        trained.model, trained.task, np.random.default_rng(0), examples=20, step=step
    )
    seen = next(one for one in recorded if one.n < trained.task.objects - 1)
    analysis.question_maps(seen, about=about, path=path)
