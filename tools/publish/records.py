"""Records of finished runs: how they are read, added and made again.

What configurations and results look like inside is known here, and to `analysis`, which gets them whole.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relational_rnn.cli import ablate, compare, sweep
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks import find_task
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.files import read_json, write_text
from relational_rnn.training.results import RunResult, TrainingResult, from_json
from relational_rnn.training.run_folder import RunFolder, config_from, leaves_of
from tools.publish.manifest import MANIFEST, Group

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "docs" / "results"
RECORDS: Final = RESULTS / "records"
PRETRAINED: Final = RESULTS / "pretrained"
"""What the packaged cores are like inside, and what they get wrong: written by `figures.draw_pretrained`."""

COPIED: Final = ("memory", "slots", "attention", "mistakes")
"""Files of a run that its record keeps besides, by the name that they have in both."""

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "compare": compare.DEFAULTS,
    "ablate": ablate.DEFAULTS,
    "sweep": sweep.DEFAULTS,
}
"""What a command has where a preset has something else."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """What is kept of a finished run."""

    name: str
    group: Group
    """The line of the manifest that it is read for."""
    content: Json
    """As the file has it: "config", "results", perhaps "evaluations" and what else is `COPIED`."""


def read_record(name: str, group: Group) -> Record:
    """Read a record that stands in a group of the manifest."""
    return Record(name, group, read_json(RECORDS / f"{name}.json"))


def read_group(group: Group) -> list[Record]:
    """Read the records of a line of the manifest, in its order."""
    return [read_record(name, group) for name in group.records]


def groups_of(name: str) -> dict[str, Group]:
    """Return the lines of the manifest that a record stands in, by their name."""
    return {place: group for place, group in MANIFEST.items() if name in group.records}


def add_record(name: str, run: Path) -> str:
    """Copy what pages need of a finished run.

    Args:
        name: of the record.
        run: the folder of the run.

    Returns:
        What to add to the manifest if the record stands in none of its lines, else nothing.
    """
    content = {part: read_json(run / f"{part}.json") for part in ("config", "results")}
    for part in COPIED:
        if (run / f"{part}.json").exists():
            content[part] = read_json(run / f"{part}.json")
    if content["config"]["command"].startswith("train "):
        content["evaluations"] = evaluations(run)
    content = without_folders(content)
    write_text(RECORDS / f"{name}.json", json.dumps(content, indent=1) + "\n")
    if groups_of(name):
        return ""
    verb, task, *_ = content["config"]["command"].split()
    kind, table = {"ablate": ("ablation", "overview"), "sweep": ("search", "summary")}.get(
        verb, ("training", "seeds") if task == "nth-farthest" else ("supervised", "summary")
    )
    return (
        f"No page shows {name}. Put it into a group of tools/publish/manifest.py, or add one, for example\n"
        f'    "{name}": Group("{kind}", ("{name}",), ("{table}",)),'
    )


def without_folders(content: Any) -> Any:
    """Return the content of a record without the folder that held the data: the files are the same anywhere.

    Example:
        >>> without_folders({"task": {"variant": "en", "data_dir": "/home/me/babi"}})
        {'task': {'variant': 'en', 'data_dir': None}}
    """
    if isinstance(content, dict):
        return {
            name: None if name == "data_dir" else without_folders(value) for name, value in content.items()
        }
    return list(map(without_folders, content)) if isinstance(content, list) else content


def evaluations(run: Path) -> dict[str, list[dict[str, float]]]:
    """Return for each training of a run examples, seconds and accuracy of its evaluations."""
    found: dict[str, list[dict[str, float]]] = {}
    for values in RunFolder(run).records():
        if "validation_accuracy" in values:
            kept = {name: round(values[name], 5) for name in ("examples", "seconds", "validation_accuracy")}
            found.setdefault(values["model"], []).append(kept)
    return found


def results_of(record: Record) -> RunResult:
    """Return what a record's run came to."""
    return from_json(record.content["results"])


def experiment_of(record: Record) -> Json:
    """Return the results of an ablation or a sweep, as `analysis` takes them."""
    results: Json = record.content["results"]
    return results


def config_of(record: Record) -> RunConfig:
    """Return the configuration of a record's run."""
    recorded = record.content["config"]
    return config_from(find_task(recorded["command"].split()[1]), recorded["config"])


def seeds_of(record: Record) -> list[int]:
    """Return the seeds that a run had."""
    config = config_of(record)
    return list(range(config.seed, config.seed + config.seeds))


def score_of(record: Record, model: str) -> TrainingResult | None:
    """Return what a model came to in a run, the training that stands for it; None without it."""
    found = results_of(record).models.get(model)
    if found is None:
        return None
    return next(training for training in found.trainings if training.name == found.name)


def rmc_of(record: Record) -> TrainingResult:
    """Return what the RMC came to in a run.

    Raises:
        ValueError: the run has none.
    """
    score = score_of(record, "rmc")
    if score is None:
        raise ValueError(f"{record.name} has no RMC")
    return score


def trainings_of(record: Record) -> dict[str, tuple[TrainingResult, ...]]:
    """Return what each training of a run came to, by its model."""
    return {name: model.trainings for name, model in results_of(record).models.items()}


def command(record: Record) -> str:
    """Return the command that makes a record again: its preset, and what differs from that."""
    kind, preset = record.group.kind, record.group.preset
    verb, task, *flags = shlex.split(record.content["config"]["command"])
    if kind in ("comparison", "opponents"):
        verb = "compare"
    words = ["relational-rnn", verb, task, *flags]
    if kind == "training" or preset != "quick":
        words += ["--preset", preset]
    defaults = DEFAULTS.get(verb, {})
    recorded = leaves_of(config_of(record))
    without = leaves_of(with_values(find_recipe(task, preset), defaults))
    for values in (recorded, without):
        values["overrides"] = heeded(values["overrides"], recorded["models"])
    for setting, value in recorded.items():
        if value != without[setting] or (setting == "seed" and "--preset" in words):
            flag = setting.replace("_", "-")
            words += [f"--no-{flag}"] if value is False else [f"--{flag}", *_written(value)]
    return shlex.join(words)


def _written(value: object) -> list[str]:
    """Return a value as people type it; an empty list is no word."""
    if isinstance(value, list):
        return [",".join(map(str, value))] if value else []
    return [str(value).removesuffix(".0")]


def heeded(overrides: Sequence[str], models: Sequence[str]) -> list[str]:
    """Return the overrides of the models that a run has, in the order of their names.

    Example:
        >>> heeded(["lstm.steps=9", "gru.steps=9", "lstm.size=3"], ["rmc", "lstm"])
        ['lstm.size=3', 'lstm.steps=9']
    """
    return sorted(word for word in overrides if word.partition(".")[0] in models)
