"""`relational-rnn train TASK`: argv -> preset, config file and flags -> a run in a folder."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import tyro

from relational_rnn.cli.run import require_libraries
from relational_rnn.recipes import RECIPES, Settings, find_recipe
from relational_rnn.training.common import nth_farthest, supervised
from relational_rnn.training.common.files import read_json
from relational_rnn.training.common.nth_farthest import NthFarthestSettings
from relational_rnn.training.common.supervised import SupervisedSettings

DEFAULT_PRESET = "quick"

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LISTS = ("--models", "--own", "--supporting-facts", "--tasks")
"""Flags that take several values."""

S = TypeVar("S")
T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class Options(Generic[S]):
    """Train models on a task and compare them: on two cores, minutes with the preset `quick`."""

    settings: Annotated[S, tyro.conf.arg(name="")]
    preset: str = DEFAULT_PRESET
    """Where all other values come from that are not given."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON file with values that replace the preset's, for example a run's config.json."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the run, empty or new; if not given, runs/ and a name made of task, preset and seed."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in the folder."""


def main(
    argv: Sequence[str], command: str = "train", defaults: Callable[[str], Mapping[str, Any]] | None = None
) -> int:
    """Train; return the exit code.

    Args:
        argv: the task and flags.
        command: under which name.
        defaults: task -> settings that replace the preset's.
    """
    arguments = list(argv)
    task = arguments.pop(0) if arguments and not arguments[0].startswith("-") else None
    if task is None and not {"-h", "--help"} & set(arguments):
        known = ", ".join(RECIPES)
        raise ValueError(f"which task? relational-rnn {command} TASK, with TASK one of {known}")
    task = task or next(iter(RECIPES))
    options = parse(task, arguments, command=command, defaults=None if defaults is None else defaults(task))
    origin = options.preset if options.config is None else options.config.stem
    folder = options.out or Path("runs") / f"{task}-{origin}-seed{options.settings.seed}"
    if options.resume and options.out is None:
        raise ValueError("which run? --resume needs the run's folder, --out DIR")
    settings = options.settings
    require_libraries(settings)
    if isinstance(settings, NthFarthestSettings):
        from relational_rnn.cli import nth_farthest as nth_farthest_command  # imports torch

        return nth_farthest_command.train(settings, folder, options.resume)
    from relational_rnn.cli import supervised as supervised_command

    return supervised_command.train(task, settings, folder, options.resume)


def parse(
    task: str,
    argv: Sequence[str],
    *,
    command: str = "train",
    options: Any = Options,
    defaults: Mapping[str, Any] | None = None,
) -> Any:
    """Resolve preset, then config file, then flags.

    Args:
        task: its name.
        argv: the flags.
        command: that has them.
        options: what they are, a kind of `Options`.
        defaults: settings that replace the preset's.

    Returns:
        The options, with the settings resolved.

    Raises:
        ValueError: an unknown task, preset, key of the config file, or a value out of range.
        SystemExit: as argument parsers do.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--preset", "--config", "--out", "--framework"):
        early.add_argument(name)
    early.add_argument("--resume", action="store_true")
    given, _ = early.parse_known_args(argv)
    settings: Settings
    preset = dataclasses.replace(find_recipe(task, given.preset or DEFAULT_PRESET), **(defaults or {}))
    # A resumed run keeps its own settings unless a flag contradicts them, which the run folder then tells.
    recorded = Path(given.out) / "config.json" if given.resume and given.out else None
    if recorded is not None and recorded.exists() and given.preset is None and given.config is None:
        settings = from_file(preset, recorded)
    else:
        settings = preset
    if given.config is not None:
        settings = from_file(settings, Path(given.config))
    kind: Any = options[NthFarthestSettings]
    models: tuple[str, ...] = nth_farthest.MODELS
    if isinstance(settings, SupervisedSettings):
        kind = options[SupervisedSettings[type(settings.task)]]  # type: ignore[misc]
        models = supervised.FRAMEWORKS.get(given.framework or settings.framework, ())
    return tyro.cli(
        kind,
        prog=f"relational-rnn {command} {task}",
        description=inspect.getdoc(options),
        args=spread_lists(argv, models),
        default=options(settings=settings, preset=given.preset or DEFAULT_PRESET),
        config=(tyro.conf.OmitArgPrefixes,),
    )


def from_file(settings: Settings, path: Path) -> Settings:
    """Replace settings by the values of a JSON file.

    Raises:
        ValueError: no JSON object, or a key that is no setting.
    """
    values = read_json(path)
    if isinstance(values, dict) and isinstance(values.get("settings"), dict):
        values = values["settings"]  # a run's config.json
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object of settings, got {type(values).__name__}")
    return replace(settings, values, path)


def replace(settings: T, values: dict[str, Any], path: Path) -> T:
    """Return a dataclass with some values replaced, also those of the dataclasses in it."""
    known = [field.name for field in dataclasses.fields(settings)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{path} has unknown settings {', '.join(unknown)}; known are {', '.join(known)}")
    changed = {}
    for name, value in values.items():
        before = getattr(settings, name)
        if isinstance(value, dict) and dataclasses.is_dataclass(before) and not isinstance(before, type):
            value = replace(before, value, path)
        changed[name] = tuple(value) if isinstance(value, list) else value
    try:
        return dataclasses.replace(settings, **changed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def spread_lists(argv: Sequence[str], models: Sequence[str]) -> list[str]:
    """Write `--models rmc,lstm`, `--models=all` and `--supporting-facts 1,2` as the parser takes lists.

    Example:
        >>> spread_lists(["--models", "rmc,lstm", "--seed", "1"], ["rmc", "lstm"])
        ['--models', 'rmc', 'lstm', '--seed', '1']
    """
    result: list[str] = []
    flag = ""
    for word in argv:
        name, equals, value = word.partition("=")
        if equals and name in LISTS:
            result.append(name)
            word, flag = value, name
        if flag in LISTS:
            result += models if (flag, word) == ("--models", "all") else word.split(",")
        else:
            result.append(word)
        flag = word
    return result
