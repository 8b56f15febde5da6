"""`relational-rnn train TASK`: argv -> preset, config file and flags -> a run in a folder."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from relational_rnn.cli.arguments import read, spread_lists
from relational_rnn.cli.choice import HELP, split_task
from relational_rnn.config.checks import BadFile, check_preset
from relational_rnn.recipes import RECIPES
from relational_rnn.tasks import TASKS
from relational_rnn.training.config import (
    RunConfig,
    check_overridden,
    home_of,
    overrides_beside,
    parts_of,
    with_values,
)
from relational_rnn.training.distributed import NOT_SHARED
from relational_rnn.training.files import read_object
from relational_rnn.training.models import MODELS, models_of
from relational_rnn.training.place import Place, place
from relational_rnn.training.screen import say_error

DEFAULT_PRESET = "quick"

OTHER_FLAGS = {
    "--lr": "it is --learning-rate here",
    "--epochs": "--steps counts batches",
    "--slot-size": "a slot has --head-size times --num-heads features",
    "--hidden-size": "a slot has --head-size times --num-heads features; of an LSTM: --overrides lstm.size=N",
}
"""Flags that others have and that resemble none of ours -> what there is in their place."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Settings(Generic[T]):
    """What is trained, and where it is written down."""

    run: Annotated[RunConfig[T], tyro.conf.arg(name="")]
    """What is trained; without this line --help would look for one in the source of `typing.Generic`."""
    preset: str = DEFAULT_PRESET
    """Where all other values come from that are not given."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON file with values that replace the preset's, for example a run's config.json."""


@dataclass(frozen=True, kw_only=True)
class Options(Settings[T]):
    """Train models on a task and compare them: on two cores, minutes with the preset `quick`."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the run, empty or new; if not given, runs/ and a name made of task, preset and seed."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in the folder."""


def main(argv: Sequence[str], command: str = "train", defaults: Mapping[str, Any] | None = None) -> int:
    """Train; return the exit code.

    Args:
        argv: the task and flags.
        command: under which name.
        defaults: values that replace the preset's.
    """
    own = place()
    if own is not None and own.rank:
        return 0 if HELP & set(argv) else _follow(own)
    task, arguments = split_task(command, argv)
    if task not in TASKS:  # a game
        if own is not None:
            raise ValueError(NOT_SHARED.format(size=own.size, task=task))
        from relational_rnn.cli.agents import main as train_agents

        return train_agents(task, arguments)
    options = parse(task, arguments, command=command, defaults=defaults)
    folder = folder_of(task, options)

    from relational_rnn.cli.run import find_files, require_libraries

    require_libraries(options.run)
    from relational_rnn.cli.present import train

    return train(find_files(options.run), folder, options.resume)


def folder_of(task: str, options: Any) -> Path:
    """Return the folder of a run.

    Args:
        task: or game, by name.
        options: of the command line.

    Raises:
        ValueError: a run is to go on, and none is named.
    """
    if options.resume and options.out is None:
        raise ValueError("which run? --resume needs the run's folder, --out DIR")
    origin = options.preset if options.config is None else options.config.stem
    name = task.replace(":", "-").replace("/", "-")  # of an environment of Gymnasium
    return options.out or Path("runs") / f"{name}-{origin}-seed{options.run.seed}"


def _follow(own: Place) -> int:
    """Train what the leader of several processes says, who reads the arguments; return the exit code."""
    from relational_rnn.training.learners.distributed import follow
    from relational_rnn.training.processes import RunFailed

    try:
        follow(own)
    except RunFailed as failed:
        say_error(f"error: {failed}")
        return 1
    return 0


def parse(
    task: str,
    argv: Sequence[str],
    *,
    command: str = "train",
    options: Any = Options,
    defaults: Mapping[str, Any] | None = None,
    presets: Mapping[str, Callable[[], Any]] | None = None,
    models: Sequence[str] | None = None,
) -> Any:
    """Resolve preset, then config file, then flags.

    Args:
        task: its name.
        argv: the flags.
        command: that has them.
        options: what they are, a kind of `Settings`.
        defaults: values that replace the preset's.
        presets: of the task, by name; None for its recipes.
        models: what there is, and `--models all` means; None for all that the framework has.

    Returns:
        The options, with the run's configuration resolved.

    Raises:
        ValueError: an unknown task, preset, key of the config file, or a value out of range.
        SystemExit: as argument parsers do.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    valued = ("--preset", "--config", "--out", "--framework")
    for name in valued:
        early.add_argument(name, nargs="?", const="")
    early.add_argument("--resume", action="store_true")
    given, _ = early.parse_known_args(argv)
    for name in valued:
        if getattr(given, name[2:]) == "":
            raise ValueError(f"{name} needs a value")
    preset = DEFAULT_PRESET if given.preset is None else given.preset
    presets = RECIPES[task] if presets is None else presets
    run = with_values(presets[check_preset(preset, task, presets)](), defaults or {})
    # A resumed run keeps its own values unless a flag contradicts them, which the run folder then tells.
    recorded = Path(given.out) / "config.json" if given.resume and given.out else None
    if recorded is not None and recorded.exists():
        from relational_rnn.training.run_folder import RunFolder

        folder = RunFolder(recorded.parent)
        folder.check_command(f"{_recorded(command)} {task}", folder.require())
        if given.preset is None and given.config is None:
            run = from_file(run, recorded)
    if given.config is not None:
        run = from_file(run, Path(given.config))
    framework = given.framework or run.runtime.framework
    every = models or models_of(framework)
    try:
        found = read(
            options[type(run.task)],
            spread_lists(argv, every),
            options(run=run, preset=preset),
            f"relational-rnn {command} {task}",
            f"\n\nPresets: {', '.join(presets)}.\n\nModels: {_in_words(models)}.",
        )
    except SystemExit:
        for word in argv:
            name = word.partition("=")[0].replace("_", "-")
            if name in OTHER_FLAGS:
                say_error(f"error: there is no {name}: {OTHER_FLAGS[name]}")
        for name in argv[:1]:
            if name in presets:
                say_error(f"error: {name} is a preset: --preset {name}")
            elif name in (models or MODELS):
                say_error(f"error: {name} is a model: --models {name}")
        raise
    if models is None and framework == "numpy" and {"all", "--models=all"} & set(argv):
        say_error(f"all that NumPy has: {', '.join(every)}; --framework torch has {', '.join(MODELS)}")
    flags = {word.partition("=")[0].lstrip("-").replace("-", "_") for word in argv if word.startswith("--")}
    if "overrides" in flags:
        check_overridden(found.run)
    elif hidden := set(overrides_beside(found.run)) - set(kept := overrides_beside(found.run, flags)):
        say_error(f"for all models alike; left out of the preset: {', '.join(sorted(hidden))}")
        found = dataclasses.replace(found, run=with_values(found.run, {"overrides": kept}))
    return found


def _in_words(models: Sequence[str] | None) -> str:
    """Return which models there are, for --help."""
    if models is not None:
        return ", ".join(models)
    return f"{', '.join(MODELS)}; with NumPy {', '.join(models_of('numpy'))}"


def _recorded(command: str) -> str:
    """Return what config.json calls a command: `compare` is `train` with other defaults."""
    return "train" if command == "compare" else command


def from_file(config: RunConfig[T], path: Path) -> RunConfig[T]:
    """Replace values by those of a JSON file, named by field or part by part.

    Raises:
        BadFile: no JSON object, a key that is no field, one under another part than its own, or a value that
            is of another type or out of range.
        OSError: it cannot be read.
    """
    values = read_object(path)
    if isinstance(values.get("config"), dict):
        values = values["config"]  # a run's config.json
    leaves: dict[str, Any] = {}
    task: Any = config.task
    parts = {name for name, _ in parts_of(config)}
    try:
        for name, value in values.items():
            inside = isinstance(value, dict) and (value or name in parts)
            for leaf, one in value.items() if inside else [("", value)]:
                field = leaf or name
                home = home_of(config, field)[0]
                if leaf and home != name:
                    raise ValueError(f"{leaf} belongs to {home or 'no part'}, it stands in {name}")
                leaves[field] = tuple(one) if isinstance(one, list) else one
        return with_values(config, leaves)
    except (TypeError, ValueError) as error:
        raise BadFile(path, f"holds no settings of {task.name}: {error}") from None
