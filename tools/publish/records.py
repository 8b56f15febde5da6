"""Records of finished runs: how they are read, added and made again.

What settings and results look like inside is known here, and to `analysis`, which gets them whole.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relational_rnn.cli import ablate, compare, sweep
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks import REASONING_TASKS
from relational_rnn.training.common.files import read_json, write_text
from relational_rnn.training.common.nth_farthest import NthFarthestSettings, settings_from
from relational_rnn.training.common.records import RunFolder, defaults_of
from tools.publish.manifest import MANIFEST, Group

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "docs" / "results"
RECORDS: Final = RESULTS / "records"
PRETRAINED: Final = RESULTS / "pretrained"
"""What the packaged cores are like inside, and what they get wrong: written by `figures.draw_pretrained`."""

COPIED: Final = ("memory", "slots", "attention", "mistakes")
"""Files of a run that its record keeps besides, by the name that they have in both."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """What is kept of a finished run."""

    name: str
    group: Group
    """The line of the manifest that it is read for."""
    content: Json
    """As the file has it: "config", "results", perhaps "evaluations" and what else is `COPIED`."""


@dataclass(frozen=True)
class Score:
    """What one training came to; of a model with several seeds, some of its numbers are means."""

    name: str
    label: str
    test_accuracy: float
    seconds: float
    steps: int
    examples: int
    parameters: int
    test_sequence_accuracy: float = float("nan")
    changes: Sequence[tuple[int, int, int]] = ()
    """Step, objects and dimensions, each time the task grew."""


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


def evaluations(run: Path) -> dict[str, list[dict[str, float]]]:
    """Return for each training of a run examples, seconds and accuracy of its evaluations."""
    found: dict[str, list[dict[str, float]]] = {}
    for values in RunFolder(run).records():
        if "validation_accuracy" in values:
            kept = {name: round(values[name], 5) for name in ("examples", "seconds", "validation_accuracy")}
            found.setdefault(values["model"], []).append(kept)
    return found


def results_of(record: Record) -> Json:
    """Return the results of a record's run, as `analysis` takes them."""
    results: Json = record.content["results"]
    return results


def settings_of(record: Record) -> NthFarthestSettings:
    """Return the settings of a run on Nth farthest."""
    return settings_from(record.content["config"]["settings"])


def seeds_of(record: Record) -> list[int]:
    """Return the seeds that a run had."""
    results = record.content["results"]
    return list(range(results["seed"], results["seed"] + results["seeds"]))


def score_of(record: Record, model: str) -> Score | None:
    """Return what a model came to in a run on Nth farthest, the best way to the task; None without it."""
    models = record.content["results"]["models"]
    return _score(models[model]) if model in models else None


def rmc_of(record: Record) -> Score:
    """Return what the RMC came to in a run on Nth farthest."""
    return _score(record.content["results"]["models"]["rmc"])


def trainings_of(record: Record) -> dict[str, list[Score]]:
    """Return what each training of a run came to, by its model."""
    models = record.content["results"]["models"]
    return {name: [_score(score) for score in model["trainings"]] for name, model in models.items()}


def _score(values: Json) -> Score:
    known = {field.name for field in dataclasses.fields(Score)}
    return Score(**{name: value for name, value in values.items() if name in known})


def command(record: Record) -> str:
    """Return the command that makes a record again: its preset, and what differs from that."""
    config, kind = record.content["config"], record.group.kind
    verb, task, *flags = shlex.split(config["command"])
    compared = kind in ("comparison", "opponents")
    preset = record.group.preset
    recipe = find_recipe(task, preset)
    defaults = _as_json(dataclasses.asdict(recipe))
    recorded = defaults_of(recipe) | config["settings"]
    words = ["relational-rnn", verb, task, *flags]
    if compared:
        words[1] = "compare"
        defaults |= _as_json(compare.defaults(task))
    elif verb in ("ablate", "sweep"):
        defaults |= _as_json((ablate if verb == "ablate" else sweep).DEFAULTS)
    if kind == "training" or preset != "quick":
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


def _as_json(values: Json) -> Json:
    """Return values as a record has them: lists for tuples."""
    written: Json = json.loads(json.dumps(values))
    return written
