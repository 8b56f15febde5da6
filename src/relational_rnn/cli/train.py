"""`relational-rnn train TASK`: argv -> preset, config file and flags -> a run in a folder."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import tyro

from relational_rnn.cli import arguments as parser
from relational_rnn.config.checks import BadFile, did_you_mean, shortened
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import TASKS, TaskEntry, task_name
from relational_rnn.training.config import RunConfig, check_overridden, home_of, parts_of, with_values
from relational_rnn.training.distributed import NOT_SHARED
from relational_rnn.training.files import read_object
from relational_rnn.training.models import models_of
from relational_rnn.training.place import Place, place
from relational_rnn.training.screen import say_error

if TYPE_CHECKING:
    from relational_rnn.tasks.game_registry import Game

DEFAULT_PRESET = "quick"

MODEL, MODELS_FLAG = "--model", "--models"
BOTH = ("rmc", "lstm")
"""What `--model both` means."""

LISTS = (MODELS_FLAG, "--overrides", "--start", "--supporting-facts", "--tasks")
"""Flags that take several values."""

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
        return 0 if {"-h", "--help"} & set(argv) else _follow(own)
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


def split_task(command: str, argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return the task of a command line, and its flags.

    Raises:
        ValueError: there is no task; the message lists the known ones.
    """
    words = list(argv)
    given = words.pop(0) if words and not words[0].startswith("-") else None
    task = given if given is not None and ":" in given else task_name(given)  # gym:ID keeps its spelling
    if task in TASKS:
        return task, words
    from relational_rnn.tasks.game_registry import TRAINABLE, is_trainable

    games = TRAINABLE if command == "train" else {}
    if task is not None and is_trainable(task):
        if not games:
            raise ValueError(
                f"{command} takes no games; their agents are trained by relational-rnn train {task}"
            )
        return task, words
    if task is not None:
        near = did_you_mean(task, (*TASKS, *games))
        known = ", ".join((*TASKS, *games, *(["gym:ID", "popgym:NAME"] if games else [])))
        raise ValueError(f"there is no task {shortened(task)}{near}; known tasks: {known}")
    if task is None and not {"-h", "--help"} & set(words):
        known = ", ".join((*RECIPES, *games))
        raise ValueError(f"which task? relational-rnn {command} TASK, with TASK one of {known}")
    if task is None:
        task = next(iter(RECIPES))
        told = tasks_in_words(TASKS) + (f"\n\ngames for agents:\n{tasks_in_words(games)}" if games else "")
        print(
            f"usage: relational-rnn {command} TASK [options]\n\ntasks:\n{told}\n\n"
            f"options, here of {task}; relational-rnn {command} TASK --help has another task's:\n"
        )
    return task, words


def tasks_in_words(tasks: Mapping[str, TaskEntry] | Mapping[str, Game]) -> str:
    """Return a line a task or game: its name and what it asks."""
    return "\n".join(f"  {entry.name:<15}  {entry.description}" for entry in tasks.values())


def parse(
    task: str,
    argv: Sequence[str],
    *,
    command: str = "train",
    options: Any = Options,
    defaults: Mapping[str, Any] | None = None,
    find: Callable[[str, str], Any] = find_recipe,
    models: Sequence[str] | None = None,
) -> Any:
    """Resolve preset, then config file, then flags.

    Args:
        task: its name.
        argv: the flags.
        command: that has them.
        options: what they are, a kind of `Settings`.
        defaults: values that replace the preset's.
        find: (task, preset) -> the preset's values.
        models: what `--models all` means; None for all that the framework has.

    Returns:
        The options, with the run's configuration resolved.

    Raises:
        ValueError: an unknown task, preset, key of the config file, or a value out of range.
        SystemExit: as argument parsers do.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--preset", "--config", "--out", "--framework"):
        early.add_argument(name)
    early.add_argument("--resume", action="store_true")
    given, _ = early.parse_known_args(argv)
    preset = DEFAULT_PRESET if given.preset is None else given.preset
    run = with_values(find(task, preset), defaults or {})
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
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            found = tyro.cli(
                options[type(run.task)],
                prog=f"relational-rnn {command} {task}",
                description=inspect.getdoc(options),
                args=spread_lists(argv, models or models_of(given.framework or run.runtime.framework)),
                default=options(run=run, preset=preset),
                config=(tyro.conf.OmitArgPrefixes,),
                registry=parser.NUMBERS,
            )
    except SystemExit as ended:
        refused = _refused(ended)
        if refused is not None:
            raise ValueError(str(refused)) from None
        if told.getvalue():
            say_error(told.getvalue().rstrip())
        for name in (word.partition("=")[0].replace("_", "-") for word in argv):
            if name in OTHER_FLAGS:
                say_error(f"error: there is no {name}: {OTHER_FLAGS[name]}")
        raise
    if any(word.partition("=")[0] == "--overrides" for word in argv):
        check_overridden(found.run)
    return found


def _recorded(command: str) -> str:
    """Return what config.json calls a command: `compare` is `train` with other defaults."""
    return "train" if command == "compare" else command


def _refused(ended: SystemExit) -> BaseException | None:
    """Return the error of a configuration's own check that the parser ended with, None if it was another.

    The parser names the part of the configuration in it, which no flag has.
    """
    error = ended.__context__
    while error is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
        own = module.startswith("relational_rnn.") and module != parser.__name__
        if isinstance(error, ValueError) and own:
            return error
        error = error.__context__
    return None


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


def spread_lists(argv: Sequence[str], models: Sequence[str]) -> list[str]:
    """Write `--models rmc,lstm`, `--models=all` and `--supporting-facts 1,2` as the parser takes lists.

    `--model` is `--models`, and `both` are the RMC and the LSTM.

    Example:
        >>> spread_lists(["--models", "rmc,lstm", "--seed", "1"], ["rmc", "lstm"])
        ['--models', 'rmc', 'lstm', '--seed', '1']
        >>> spread_lists(["--model", "both"], ["rmc", "hybrid", "lstm"])
        ['--models', 'rmc', 'lstm']
    """
    several = {"all": models, "both": BOTH}
    result: list[str] = []
    flag = ""
    for word in argv:
        name, equals, value = word.partition("=")
        if name == MODEL:
            name, word = MODELS_FLAG, word.replace(MODEL, MODELS_FLAG, 1)
        if equals and name in LISTS:
            result.append(name)
            word, flag = value, name
        if flag in LISTS:
            chosen = several.get(word) if flag == MODELS_FLAG else None
            result += word.split(",") if chosen is None else chosen
        else:
            result.append(word)
        flag = word
    return result
