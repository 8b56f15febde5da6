"""Put finished runs into the docs, and write the pages from what was put there.

    python docs/results/publish.py add NAME RUN     # copy a run's record and the figures that pages show
                                                    # NAME: PRESET-SEED of Nth farthest, with other
                                                    # settings GROUP-PRESET-SEED; another task,
                                                    # ablation-TASK, ablation-why, ablation-PRESET or
                                                    # ablation-GROUP-PRESET, compare-TASK,
                                                    # compare-PRESET-SEED (-MODEL if there is another
                                                    # run of this seed), sweep-PRESET-MODEL or
                                                    # growth-PRESET-MODEL
    python docs/results/publish.py draw             # draw again what is drawn from records and weights
    python docs/results/publish.py                  # write the pages again from the records

Pages hold no number that is not in a record: a test writes them again and compares.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis.decoding import HOME
from relational_rnn.analysis.factor_overview import Row
from relational_rnn.analysis.factors import Level
from relational_rnn.cli import ablate, compare, experiment, sweep
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import REASONING_TASKS
from relational_rnn.tasks.babi.stories import TASKS
from relational_rnn.training.common.core_settings import LABELS
from relational_rnn.training.common.files import read_json, write_atomically, write_text
from relational_rnn.training.common.nth_farthest import (
    TEST,
    NthFarthestSettings,
    held_out_batch,
    model_results,
    settings_from,
)
from relational_rnn.training.common.pretrained import find_pretrained, pretrained_names
from relational_rnn.training.common.records import RunFolder, defaults_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RECORDS, FIGURES = HERE / "records", HERE / "figures"
PRETRAINED = HERE / "pretrained"
"""What the packaged cores are like inside, and what they get wrong: written by `draw`."""
PAGES = (
    ROOT / "README.md",
    *(HERE / f"nth_farthest{page}.md" for page in ("", "_settings", "_inside", "_models")),
    *(HERE / f"{page}.md" for page in ("reasoning", "programs", "babi")),
    *(HERE / f"{page}.md" for page in ("ablations", "sample_efficiency", "comparison")),
)
PROGRAMS = ("copy", "reverse", "double", "addition", "control", "program")
PROGRAM_MODELS = ("rmc", "lstm", "transformer", "dnc")
SUPERVISED = (*REASONING_TASKS, *PROGRAMS, "babi")
MILESTONES = (0.5, 0.75, 0.91, 0.95, 0.97)
"""91 % is the paper's own score."""

OPPONENTS = "compare-paper8x16"
"""What the names of the comparisons at the paper's size begin with."""

SEARCHES = ("sweep-paper8x16", "growth-paper8x16")
"""What the names of the two kinds of searches for them begin with: on 3 objects, and over the first steps of
the growing task."""

LSTM, TIME_OF_ALL = "LSTM, best of three", "time of all"
"""Columns of a table of seeds that only runs with an LSTM fill."""

MENDED = {
    "with the authors' core and loss": "port_fault=none",
    "with the authors' initial weights": "initialisation=authors",
    "with a growing task": "grow=true",
}
"""What is mended in a port -> the variant of its ablation."""


def mended(kind: str) -> dict[str, tuple[str, str]]:
    """Return the rows of one ablation of a port for `WHY`."""
    return {text: (kind, variant) for text, variant in MENDED.items()}


WHY = (
    (
        "a public port, its rate 0.0001, its head of four",
        ("portown", "base"),
        mended("portown"),
    ),
    (
        "a public port, learning rate 0.001",
        ("portlow", "base"),
        mended("portlow"),
    ),
    (
        "a public port, learning rate 0.004",
        ("port", "base"),
        mended("port") | {"with both of the last two": ("why", "port_fault=all")},
    ),
    (
        "the authors' code on a growing task, 0.004",
        ("why", "base"),
        {
            "with torch's initial weights": ("why", "initialisation=torch"),
            "with torch's initial weights, 0.001": ("torch", "learning_rate=0.001"),
            "with the full task at once": ("why", "grow=false"),
            "with the full task at once, 0.001": ("full", "learning_rate=0.001"),
            "with an MLP of tied layers": ("why", "port_fault=tied-mlp"),
            "with a ReLU after the MLP": ("why", "port_fault=final-relu"),
            "with one layer norm over all rows": ("why", "port_fault=joint-norm"),
            "with the softmax of a softmax": ("why", "port_fault=double-softmax"),
        },
    ),
)
"""Rows of the figure on the public ports: a heading with its own row, and what is changed in it, each with
the ablation whose record has it, without "ablation-", and the variant."""

WHY_RECORDS = {f"ablation-{kind}" for _, base, changes in WHY for kind, _ in (base, *changes.values())}
"""The records that it shows."""

RECIPE = (
    *("objects", "dimensions", "mem_slots", "head_size", "num_heads", "attention_mlp_layers"),
    *("head_layers", "head_units", "head_activation", "steps", "batch_size", "optimiser", "learning_rate"),
    *("warmup_steps", "final_share", "clip_norm", "average_decay", "first_objects", "first_dimensions"),
    "growth_threshold",
)
"""Settings that the page on Nth farthest shows."""


def add(name: str, run: Path) -> None:
    """Copy the record and the figures of a run."""
    results = read_json(run / "results.json")
    config = read_json(run / "config.json")
    record = {"config": config, "results": results}
    for part in ("memory", "slots", "attention", "mistakes"):
        if (run / f"{part}.json").exists():
            record[part] = read_json(run / f"{part}.json")
    if name in SUPERVISED or trains_nth_farthest(name, record) or name.startswith(OPPONENTS):
        record["evaluations"] = evaluations(run)
    write_text(RECORDS / f"{name}.json", json.dumps(record, indent=1) + "\n")
    shown = shown_figures()
    for figure in sorted((run / "plots").glob("*.png")):
        if f"{name}_{figure.name}" in shown:
            copy(figure, FIGURES / f"{name}_{figure.name}")
    if name.startswith(OPPONENTS):
        draw_opponents()
    if name in WHY_RECORDS:
        draw_why()


def copy(figure: Path, target: Path) -> None:
    """Copy a figure, all of it or nothing."""
    write_atomically(target, lambda temporary: shutil.copyfile(figure, temporary))


def shown_figures() -> set[str]:
    """Return the names of the figures that pages show."""
    return {
        name for page in PAGES for name in re.findall(r"figures/([^)]+)", page.read_text(encoding="utf-8"))
    }


def trains_nth_farthest(name: str, record: dict[str, Any]) -> bool:
    """Return whether a record is a training on Nth farthest, so that its name begins with its preset."""
    return record["config"]["command"] == "train nth-farthest" and not name.startswith("compare-")


def evaluations(run: Path) -> dict[str, list[dict[str, float]]]:
    """Return for each training of a run examples, seconds and accuracy of its evaluations."""
    found: dict[str, list[dict[str, float]]] = {}
    for values in RunFolder(run).records():
        if "validation_accuracy" in values:
            kept = {name: round(values[name], 5) for name in ("examples", "seconds", "validation_accuracy")}
            found.setdefault(values["model"], []).append(kept)
    return found


def records() -> dict[str, dict[str, Any]]:
    """Return all records by name."""
    return {path.stem: read_json(path) for path in sorted(RECORDS.glob("*.json"))}


def beginning(start: str, everything: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return of all records those whose names begin with `start`."""
    return {name: record for name, record in everything.items() if name.startswith(start)}


def command(name: str, record: dict[str, Any]) -> str:
    """Return the command that makes a record again: its preset, and what differs from that.

    Records are of `quick` unless their name has another preset.
    """
    verb, task, *flags = shlex.split(record["config"]["command"])
    compared = name.startswith("compare-")
    preset = next((word for word in name.split("-") if word in RECIPES[task]), "quick")
    recipe = find_recipe(task, preset)
    defaults = as_json(dataclasses.asdict(recipe))
    recorded = defaults_of(recipe) | record["config"]["settings"]
    words = ["relational-rnn", verb, task, *flags]
    if compared:
        words[1] = "compare"
        defaults |= as_json(compare.defaults(task))
    elif verb in ("ablate", "sweep"):
        defaults |= as_json((ablate if verb == "ablate" else sweep).DEFAULTS)
    if trains_nth_farthest(name, record) or preset != "quick":
        words += ["--preset", preset]
    elif verb == "train" and not compared and task in REASONING_TASKS:
        words += ["--framework", "numpy", "--models", "all"]
    settings, defaults = (values | values.pop("task", {}) for values in (recorded, defaults))
    for setting, value in settings.items():
        if value != defaults[setting] or (setting == "seed" and "--preset" in words):
            flag = "--" + setting.replace("_", "-")
            written = ",".join(value) if isinstance(value, list) else str(value)
            words += [flag.replace("--", "--no-")] if value is False else [flag, written]
    return shlex.join(words)


def as_json(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as a record has them: lists for tuples."""
    return json.loads(json.dumps(values))


def percent(value: float) -> str:
    """Write a share as a person reads it."""
    return f"{value:.1%}".replace("%", " %")


def whole_percent(value: float) -> str:
    """Write a share of whole percents as a person reads it."""
    return f"{value:.0%}".replace("%", " %")


def seeds_table(found: dict[str, dict[str, Any]]) -> str:
    """Return one row a run: the scores that count; a column for the LSTM if any has one."""
    rows = []
    for name, record in found.items():
        results = record["results"]
        rmc, lstm = (results["models"].get(model) for model in ("rmc", "lstm"))
        alone = lstm is None or results["wall_seconds"] is None
        rows.append(
            {
                "seed": str(results["seed"]),
                "RMC": percent(rmc["test_accuracy"]),
                LSTM: "-" if lstm is None else percent(lstm["test_accuracy"]),
                "trivial score": percent(results["trivial_accuracy"]),
                "RMC's time": f"{rmc['seconds']:.0f} s",
                TIME_OF_ALL: "-" if alone else f"{results['wall_seconds']:.0f} s",
                "command": f"`{command(name, record)}`",
            }
        )
    rivals = any("lstm" in record["results"]["models"] for record in found.values())
    columns = [column for column in rows[0] if rivals or column not in (LSTM, TIME_OF_ALL)]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row[c] for c in columns) + " |" for row in rows)])


def recipe_table() -> str:
    """Return what the presets of Nth farthest train with, a row a setting in which people are interested."""
    presets = {preset: find_recipe("nth-farthest", preset) for preset in ("quick", "paper8x16")}
    lines = ["| setting | " + " | ".join(f"`{preset}`" for preset in presets) + " |"]
    lines.append("|---" * (1 + len(presets)) + "|")
    for setting in RECIPE:
        cells = [str(getattr(settings, setting)) for settings in presets.values()]
        lines.append(f"| `{setting}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def trainings_table(record: dict[str, Any]) -> str:
    """Return one row a training of a run."""
    lines = ["| training | test accuracy | seconds | examples | parameters |", "|---|---|---|---|---|"]
    for model in record["results"]["models"].values():
        for score in model["trainings"]:
            bold = "**" if score["name"] == model["name"] else ""
            lines.append(
                f"| {bold}{score['label']}{bold} | {bold}{percent(score['test_accuracy'])}{bold} "
                f"| {score['seconds']:.0f} | {score['examples']:,} | {score['parameters']:,} |"
            )
    return "\n".join(lines)


def milestones_table(found: dict[str, dict[str, Any]]) -> str:
    """Return when each run's RMC reached some accuracies on the validation examples for the first time."""
    lines = ["| seed | steps | " + " | ".join(map(whole_percent, MILESTONES)) + " |"]
    lines.append("|---" * (2 + len(MILESTONES)) + "|")
    for record in found.values():
        cells = [str(record["results"]["seed"]), f"{record['results']['models']['rmc']['steps']:,}"]
        for share in MILESTONES:
            curve = record["evaluations"][record["results"]["models"]["rmc"]["name"]]
            points = [p for p in curve if p["validation_accuracy"] >= share]
            told = [f"{p['seconds'] / 60:.1f} min, {p['examples'] / 1e6:.1f} M examples" for p in points]
            cells.append(told[0] if told else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth_table(record: dict[str, Any]) -> str:
    """Return when the task grew under the RMC."""
    rmc = record["results"]["models"]["rmc"]
    lines = ["| task | from step | examples before |", "|---|---|---|"]
    batch = record["config"]["settings"]["batch_size"]
    for step, objects, dimensions in rmc["changes"]:
        lines.append(f"| {objects} x {dimensions} | {step:,} | {step * batch:,} |")
    return "\n".join(lines)


def run_label(record: dict[str, Any]) -> str:
    """Return what tells a run of a preset from the others."""
    results = record["results"]
    return f"seed {results['seed']}, {results['models']['rmc']['steps']:,} steps"


def longer_runs_table(found: dict[str, dict[str, Any]]) -> str:
    """Return how the RMC of each run does with more steps than in training, a row a run."""
    tables = [analysis.longer_table(analysis.counting_only(r["results"])) for r in found.values()]
    cells = [table.rows[0][1][1:] for table in tables]  # the RMC comes first
    rows = [(False, [run_label(record), *scores]) for record, scores in zip(found.values(), cells)]
    return as_markdown(analysis.Table(("run", *tables[0].columns[1:]), rows))


def columns_table(
    found: dict[str, dict[str, Any]], describe: Callable[[dict[str, Any]], dict[str, str]]
) -> str:
    """Return what `describe` says of each record, a column a run."""
    columns = [describe(record) for record in found.values()]
    runs = [run_label(record) for record in found.values()]
    rows = [(False, [row, *(column[row] for column in columns)]) for row in columns[0]]
    return as_markdown(analysis.Table(("what", *runs), rows))


def slots_found(record: dict[str, Any]) -> dict[str, str]:
    """Return what the slots of a run's RMC hold by what it is, and what that makes of the answers."""
    slots, mistakes = record["slots"], record["mistakes"]["rmc"]
    labels = list(zip(*slots["by_label"]))
    found = [share for label in labels for share in label]
    at_home, elsewhere = ([s for s in found if (s >= HOME) == home] for home in (True, False))
    homes = f"{percent(min(at_home))} to {percent(max(at_home))}" if at_home else "-"
    homeless = [label for label, shares in enumerate(labels) if max(shares) < HOME]
    without = f", not label {' and '.join(map(str, homeless))}" if homeless else ""
    moving = [slots["from_vacant"][label] for label in homeless]
    answered = [mistakes["answer"][label] for label in homeless]
    first, came, shown = sorted(map(int, slots["readings"]))
    earlier, later = slots["readings"][str(first)], slots["readings"][str(shown)]
    return {
        "labels with a home": f"{len(labels) - len(homeless)} of {len(labels)}{without}",
        "a label's vector from its home": homes,
        "labels with two homes": str(sum(sorted(shares)[-2] >= HOME for shares in labels)),
        "a label's vector from any slot that is no home of it": f"at most {percent(max(elsewhere))}",
        "without a home: from the home that is still vacant": ", ".join(map(percent, moving)) or "-",
        "accuracy where such a label is the answer": ", ".join(map(percent, answered)) or "-",
        "accuracy over all questions": percent(mistakes["accuracy"]),
        "the vector of one step, whatever its label": f"at most {percent(slots['by_step'])}",
        "an earlier vector, before and after the reference comes": _change(earlier["vector"], came),
        "its distance from the reference, before and after": _change(earlier["distance"], came),
        "the vector of an object that comes after the reference": percent(later["vector"][shown]),
        "its distance from the reference": percent(later["distance"][shown]),
    }


def mistakes_found(record: dict[str, Any]) -> dict[str, str]:
    """Return what the mistakes of a run's RMC are like by what it is."""
    mistakes = record["mistakes"]["rmc"]
    closest, *others = mistakes["margin"]
    rest = sum(part["accuracy"] for part in others) / len(others)
    return {
        "mistakes that name a neighbour in order": percent(mistakes["one_rank_off"]),
        "mean margin of the closest tenth of the questions": f"{closest['mean']:.3f}",
        "mistakes that are among these": percent(closest["share_of_mistakes"]),
        "accuracy on these": percent(closest["accuracy"]),
        "accuracy on the other nine tenths": percent(rest),
    }


def _change(shares: list[float], step: int) -> str:
    return f"{percent(shares[step - 1])}, then {percent(shares[step])}"


def as_markdown(table: analysis.Table) -> str:
    """Return a table as the docs have it."""
    rows = [[f"**{cell}**" if bold and cell else cell for cell in cells] for bold, cells in table.rows]
    lines = [list(table.columns), ["---"] * len(table.columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def supervised_parts(name: str, record: dict[str, Any]) -> dict[str, str]:
    """Return the generated parts of a task that is no Nth farthest."""
    results = record["results"]
    sizes = ", ".join(f"{size} {value}" for size, value in results["size"].items() if value is not None)
    if name == "babi":
        sizes = f"{len(results['size']['tasks'])} tasks, variant {results['size']['variant']}"
    several = f"means of {results['seeds']} seeds (lowest to highest)" if results["seeds"] > 1 else "one seed"
    told = (
        f"Sizes: {sizes}; harder: {results['harder']}. {results['test_examples']:,} test examples of each, "
        f"{several}, {results['wall_seconds']:.0f} s for all "
        f"{results['seeds'] * len(results['models'])} trainings:\n\n```sh\n{command(name, record)}\n```"
    )
    read = f"Read: {record['memory']['examples']}.\n\n"
    kinds, larger = analysis.kinds_table(results), analysis.generalisation_table(results)
    told_kinds = "" if kinds is None else as_markdown(kinds)
    if name == "babi":
        told_kinds = re.sub(
            r"(?<=\| )task (\d+)", lambda match: f"{match[1]} {TASKS[int(match[1])]}", told_kinds
        )
    return {
        f"{name} kinds": told_kinds,
        f"{name} generalisation": "" if larger is None else as_markdown(larger),
        f"{name} summary": f"{told}\n\n{as_markdown(analysis.summary_table(results))}",
        f"{name} seeds": as_markdown(analysis.seeds_table(results)),
        f"{name} memory": read + as_markdown(analysis.memory_table(record["memory"]["models"])),
    }


def programs_table(found: dict[str, dict[str, Any]]) -> str:
    """Return one row a program task: digits told rightly and, in brackets, answers without a mistake."""
    labels = [LABELS[model] for model in PROGRAM_MODELS]
    lines = [f"| task | {' | '.join(labels)} | majority | command |", "|---" * (len(labels) + 3) + "|"]
    for name in PROGRAMS:
        if name in found:
            results = found[name]["results"]
            cells = [name]
            for model in PROGRAM_MODELS:
                trainings = results["models"][model]["trainings"]
                right, solved = (
                    sum(training[score] for training in trainings) / len(trainings)
                    for score in ("test_accuracy", "test_sequence_accuracy")
                )
                cells.append(f"{percent(right)} ({percent(solved)})")
            cells.append(percent(results["trivial"]["test"]["majority"]))
            lines.append("| " + " | ".join([*cells, f"`{command(name, found[name])}`"]) + " |")
    return "\n".join(lines)


def overview_table(found: dict[str, dict[str, Any]]) -> str:
    """Return one row a reasoning task: mean test accuracies and the best score that asks for no reasoning."""
    lines = ["| task | RMC | hybrid | LSTM | without reasoning | command |", "|---|---|---|---|---|---|"]
    for name in REASONING_TASKS:
        if name in found:
            results = found[name]["results"]
            scores = [results["models"][model]["test_accuracy"] for model in ("rmc", "hybrid", "lstm")]
            trivial = max(score for score in results["trivial"]["test"].values() if score is not None)
            cells = [name, *map(percent, (*scores, trivial)), f"`{command(name, found[name])}`"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def efficiency_table(record: dict[str, Any]) -> str:
    """Return one row a model: examples seen until an accuracy on validation, means over the seeds."""
    results = record["results"]
    points = itertools.chain.from_iterable(record["evaluations"].values())
    best = max(point["validation_accuracy"] for point in points)
    asked = analysis.thresholds(results["trivial_accuracy"], best)
    lines = [
        "| model | " + " | ".join(map(whole_percent, asked)) + " |",
        "|---" * (1 + len(asked)) + "|",
    ]
    for model in analysis.model_efficiencies(results, record["evaluations"], asked):
        cells = [model.name]
        for needed in zip(*model.examples):
            reached = [examples for examples in needed if examples is not None]
            some = f" ({len(reached)} of {len(needed)})" if 0 < len(reached) < len(needed) else ""
            cells.append(f"{sum(reached) / len(reached):,.0f}{some}" if reached else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ablation_parts(name: str, record: dict[str, Any]) -> dict[str, str]:
    """Return a table for each factor of an ablation, and one of all variants."""
    results, own = record["results"], name.removeprefix("ablation-")
    tables = {factor: analysis.factor_table(results, factor) for factor in results["factors"]}
    tables["overview"] = analysis.overview_table(results)
    return {f"{own} {part}": as_markdown(table) for part, table in tables.items()}


def comparison_parts(name: str, record: dict[str, Any]) -> dict[str, str]:
    """Return the generated parts of a comparison."""
    results = record["results"]
    wall = f"{results['wall_seconds']:.0f} s for all trainings, {results['test_examples']:,} test examples"
    parts = {f"{name} command": f"{wall}:\n\n```sh\n{command(name, record)}\n```"}
    if results["task"] == "nth-farthest":
        counting = analysis.counting_only(results)
        tables = {
            "summary": analysis.ways_table(results),
            "cost": analysis.cost_table(counting),
            "longer": analysis.longer_table(counting),
        }
    else:
        tables = {
            "summary": analysis.summary_table(results),
            "cost": analysis.cost_table(results),
            "generalisation": analysis.generalisation_table(results),
        }
    tables["memory"] = analysis.memory_table(record["memory"]["models"])
    return parts | {
        f"{name} {part}": as_markdown(table) for part, table in tables.items() if table is not None
    }


def together(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the results of runs of one seed each as those of one run.

    A training that several runs of a seed have, as all have the RMC's, is taken from the first of them.
    """
    scores: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for run, record in found.items():
        seed = record["results"]["seed"]
        for name, model in record["results"]["models"].items():
            of_seed = scores.setdefault(name, {}).setdefault(seed, [])
            for score in model["trainings"]:
                label = f"{score['label']}, seed {seed}"
                if label not in [known["label"] for known in of_seed]:
                    of_seed.append({**score, "name": f"{score['name']} of {run}", "label": label})
    models = {
        name: model_results([*itertools.chain.from_iterable(scores[name].values())], len(scores[name]))
        for name in LABELS
        if name in scores
    }
    first = next(iter(found.values()))["results"]
    return {**first, "seeds": len(scores["rmc"]), "models": models}


def opponents_parts(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the generated parts of the comparisons at the paper's size."""
    results = together(found)
    counting = analysis.counting_only(results)
    commands = "\n".join(command(name, record) for name, record in found.items())
    longer = analysis.longer_table(counting)
    scores = [cells[1] for _, cells in analysis.ways_table(counting).rows]  # a row a model
    best = ", ".join(f"{LABELS[model]} {score} %" for model, score in zip(results["models"], scores))
    return {
        f"{OPPONENTS} command": f"```sh\n{commands}\n```",
        f"{OPPONENTS} summary": as_markdown(analysis.ways_table(results)),
        f"{OPPONENTS} best": f"{best}.",
        **({} if longer is None else {f"{OPPONENTS} longer": as_markdown(longer)}),
    }


def draw_opponents() -> None:
    """Draw the curves of the comparisons at the paper's size, of each model its best way to the task."""
    found = beginning(OPPONENTS, records())
    results = together(found)
    evaluations = {
        f"{training} of {run}": points
        for run, record in found.items()
        for training, points in record["evaluations"].items()
    }
    curves = [
        analysis.mean_curve(model, name, [evaluations[training] for training in model["counting"]])
        for name, model in analysis.counting_only(results)["models"].items()
    ]
    analysis.training_curves(
        curves,
        trivial_accuracy=results["trivial_accuracy"],
        title="Nth farthest, 8 vectors of 16 dimensions, each model's best way to it",
        path=FIGURES / f"{OPPONENTS}_training_curves.png",
    )


def draw_curves() -> None:
    """Draw the curves of trainings on Nth farthest whose records have them and that a page shows."""
    shown = shown_figures()
    for name, record in records().items():
        figure = f"{name}_training_curves.png"
        if trains_nth_farthest(name, record) and "evaluations" in record and figure in shown:
            analysis.training_curves(
                [
                    training_curve(model, score, record)
                    for model, scores in record["results"]["models"].items()
                    for score in scores["trainings"]
                ],
                trivial_accuracy=record["results"]["trivial_accuracy"],
                title=settings_from(record["config"]["settings"]).title,
                path=FIGURES / figure,
            )


def training_curve(model: str, score: dict[str, Any], record: dict[str, Any]) -> analysis.Curve:
    """Return the curve of one training of a record, with the growth of the task if it is an RMC's."""
    points = record["evaluations"][score["name"]]
    examples, seconds = ([point[name] for point in points] for name in ("examples", "seconds"))
    stages = []
    for step, objects, dimensions in score["changes"] if model == "rmc" else ():
        before = step * record["config"]["settings"]["batch_size"]
        when = float(np.interp(before, examples, seconds))
        stages.append(analysis.StageChange(step, before, when, objects, dimensions))
    return analysis.Curve(
        score["label"], model, seconds, examples, [point["validation_accuracy"] for point in points], stages
    )


def draw_ablations() -> None:
    """Draw the figures of ablations that a page shows."""
    shown = shown_figures()
    for name, record in records().items():
        if name.startswith("ablation-"):
            how, task, *_ = shlex.split(record["config"]["command"])
            settings = settings_from(record["config"]["settings"])
            results = record["results"]
            results = {**results, "title": experiment.title_of(how, task, settings, results["factors"])}
            if f"{name}_all_factors.png" in shown:
                analysis.overview_figure(results, FIGURES / f"{name}_all_factors.png")
            for factor in results["factors"]:
                if f"{name}_{factor}.png" in shown:
                    analysis.factor_figure(results, factor, FIGURES / f"{name}_{factor}.png")


def draw_why() -> None:
    """Draw what keeps the public ports from learning: a port, mended in one thing, and the core, broken."""
    everything = records()
    ablations = {name.removeprefix("ablation-"): everything[name]["results"] for name in WHY_RECORDS}
    variants = {
        (kind, variant["name"]): variant
        for kind, results in ablations.items()
        for variant in results["variants"]
    }
    rows: list[Row] = []
    for heading, base, changes in WHY:
        rows.append(Row(heading, Level(None, base == ("why", "base"), [variants[base]]), name=True))
        rows += [Row(text, Level(None, False, [variants[of]]), name=False) for text, of in changes.items()]
    title = "Why the public ports stay at the trivial score: 3 vectors of 16 dimensions, 3,000 steps of Adam"
    analysis.overview_figure({**ablations["why"], "title": title}, FIGURES / "why_the_ports_stay.png", rows)


def draw_pretrained() -> None:
    """Draw what packaged cores attend to and what their slots hold, and record that and their mistakes."""
    from relational_rnn.cli.nth_farthest import draw_insides  # these need torch, the pages do not
    from relational_rnn.training.torch.loop import predict
    from relational_rnn.training.torch.models import load_model

    for weights in map(find_pretrained, pretrained_names()):
        model, settings, _ = load_model(weights)
        with tempfile.TemporaryDirectory() as folder:
            title = f"{weights.stem}, the pretrained core"
            figures, numbers = draw_insides(model, settings, title, Path(folder))
            for figure in figures:
                copy(figure, FIGURES / f"pretrained-{weights.stem}_{figure.name}")
        batch = held_out_batch(settings, settings.test_examples, TEST)
        numbers["mistakes"] = {"rmc": analysis.mistakes(batch, predict(model, batch.inputs).numpy())}
        write_text(PRETRAINED / f"{weights.stem}.json", json.dumps(numbers, indent=1) + "\n")


def attention_table(shares: dict[str, dict[str, list[float]]]) -> str:
    """Return where the heads look, a row a head: `analysis.attention_shares`."""
    phases = {"before": "before the reference", "reference": "when it comes", "after": "after it"}
    columns = [f"{what}, {told}" for what in ("input", "itself") for told in phases.values()]
    found = [shares[what][phase] for what in ("input", "itself") for phase in phases]
    rows = [(False, [str(head + 1), *map(percent, cells)]) for head, cells in enumerate(zip(*found))]
    return as_markdown(analysis.Table(("head", *columns), rows))


def searches_table(found: dict[str, dict[str, Any]], compared: dict[str, dict[str, Any]]) -> str:
    """Return what each model's search came to: the task that was reached and the accuracy on the full one.

    Args:
        found: the searches, each of a model's learning rate and perhaps its initialisation.
        compared: the comparisons; what any of them trains with is in bold.
    """
    taken = set()
    for record in compared.values():
        settings = settings_from(record["config"]["settings"])
        taken |= {(model, *_start_and_rate(settings, model)) for model in settings.models}
    rows: dict[tuple[str, str], dict[float, str]] = {}
    for record in found.values():
        settings = settings_from(record["config"]["settings"])
        (model,) = record["results"]["models"]
        for variant in record["results"]["variants"]:
            start, rate = _start_and_rate(settings.with_own(variant["values"]), model)
            (run,) = variant["runs"]
            told = "diverged" if "diverged" in run else _reached(run["models"][model])
            bold = "**" if (model, start, rate) in taken else ""
            rows.setdefault((model, start), {})[rate] = f"{bold}{told}{bold}"
    rates = sorted({rate for row in rows.values() for rate in row})
    lines = ["| model | start | " + " | ".join(f"{rate:g}" for rate in rates) + " |"]
    lines.append("|---" * (2 + len(rates)) + "|")
    for model, start in sorted(rows, key=lambda row: list(LABELS).index(row[0])):
        cells = [LABELS[model], start, *(rows[model, start].get(rate, "-") for rate in rates)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _start_and_rate(settings: NthFarthestSettings, model: str) -> tuple[str, float]:
    return settings.own_value(f"{model}.initialisation"), settings.own_value(f"{model}.learning_rate")


def _reached(score: dict[str, Any]) -> str:
    return f"{'x'.join(map(str, score['task_reached']))}, {percent(score['test_accuracy'])}"


def fill(page: Path, parts: dict[str, str]) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->` of a page."""
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if pattern.search(text):
            text = pattern.sub(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)
    write_text(page, text)


def generated_parts() -> dict[str, str]:
    """Return every generated part of the pages by the name of its place."""
    everything, parts = records(), {}
    found = {name: record for name, record in everything.items() if trains_nth_farthest(name, record)}
    for path in sorted(PRETRAINED.glob("*.json")):
        record = read_json(path)
        for part, values in {"slots": slots_found(record), "mistakes": mistakes_found(record)}.items():
            table = analysis.Table(("what", path.stem), [(False, list(row)) for row in values.items()])
            parts[f"pretrained-{path.stem} {part}"] = as_markdown(table)
        parts[f"pretrained-{path.stem} attention"] = attention_table(record["attention"])
    supervised = {n: r for n, r in everything.items() if n in SUPERVISED}
    parts["nth-farthest recipes"] = recipe_table()
    parts["programs overview"] = programs_table(supervised)
    parts["reasoning overview"] = overview_table(supervised)
    for name, record in supervised.items():
        parts |= supervised_parts(name, record)
        if "evaluations" in record:  # older records lack them
            parts[f"{name} efficiency"] = efficiency_table(record)
    for name, record in everything.items():
        if name.startswith("ablation-"):
            told = f"```sh\n{command(name, record)}\n```"
            parts |= {f"{name} command": told} | ablation_parts(name, record)
    for name in ("compare-sorting", "compare-nth-farthest"):
        if name in everything:
            parts |= comparison_parts(name, everything[name])
    compared = beginning(OPPONENTS, everything)
    parts |= opponents_parts(compared)
    for kind in SEARCHES:
        searched = beginning(kind, everything)
        if searched:
            lines = "\n".join(command(name, record) for name, record in searched.items())
            parts |= {f"{kind} summary": searches_table(searched, compared)}
            parts |= {f"{kind} command": f"```sh\n{lines}\n```"}
    for group in {name.split("-")[0] for name in found}:  # a preset, or what differs from it
        runs = {name: record for name, record in found.items() if name.split("-")[0] == group}
        parts[f"{group} seeds"] = seeds_table(runs)
        first = next(iter(runs.values()))
        parts[f"{group} trainings"] = trainings_table(first)
        parts[f"{group} growth"] = growth_table(first)
        if all("evaluations" in record for record in runs.values()):  # older records lack them
            parts[f"{group} milestones"] = milestones_table(runs)
        if all("longer" in record["results"]["models"]["rmc"] for record in runs.values()):
            parts[f"{group} longer"] = longer_runs_table(runs)
        if all("mistakes" in record for record in runs.values()):
            parts[f"{group} mistakes"] = columns_table(runs, mistakes_found)
        # A record from before it had the accuracy by the answer's label lacks a part of this table.
        if all(
            "slots" in record and "answer" in record.get("mistakes", {}).get("rmc", {})
            for record in runs.values()
        ):
            parts[f"{group} slots"] = columns_table(runs, slots_found)
    return parts


def write_pages() -> None:
    """Write every generated part of the pages again."""
    parts = generated_parts()
    for page in PAGES:
        fill(page, parts)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("draw", help="draw again what is drawn from records and packaged weights")
    adding = commands.add_parser("add", help="copy a run's record and figures, then write the pages")
    adding.add_argument("name", help="PRESET-SEED, for example quick-0, or a task, for example sorting")
    adding.add_argument("run", type=Path, help="the run's folder")
    arguments = parser.parse_args()
    if arguments.command == "add":
        add(arguments.name, arguments.run)
    elif arguments.command == "draw":
        draw_pretrained()
        draw_opponents()
        draw_ablations()
        draw_why()
    if arguments.command:
        draw_curves()
    write_pages()


if __name__ == "__main__":
    main()
