"""`relational-rnn train GAME`: agents that learn to play, beside players that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple

import tyro
from rich.console import Console

from relational_rnn.analysis import Table
from relational_rnn.analysis.returns import ReturnCurve, draw_returns
from relational_rnn.analysis.style import can_draw, check_drawing, save
from relational_rnn.cli.progress import NUMBERS_OF_AGENTS, Display
from relational_rnn.cli.run import make_console, print_table, require, train_and_show
from relational_rnn.cli.train import DEFAULT_PRESET, T, folder_of, parse
from relational_rnn.config.checks import BadFile
from relational_rnn.rl.config import MODELS_OF_AGENTS, AgentRun
from relational_rnn.rl.presets import find_preset
from relational_rnn.training.decode import decode
from relational_rnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from relational_rnn.rl.results import AgentResults


@dataclass(frozen=True, kw_only=True)
class Options(Generic[T]):
    """Train agents on a game by recurrent PPO, and compare them with each other and with scripted players."""

    run: Annotated[AgentRun[T], tyro.conf.arg(name="")]
    """What is trained."""
    preset: str = DEFAULT_PRESET
    """Where all other values come from that are not given: "quick", or "tiny" to see the machinery run."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON file with values that replace the preset's, for example a run's config.json."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the run, empty or new; if not given, runs/ and a name made of game, preset and seed."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in the folder."""


def main(game: str, argv: Sequence[str]) -> int:
    """Train; return the exit code."""
    options = read(game, argv)
    folder = RunFolder(folder_of(game, options))
    require("torch")
    if can_draw():
        check_drawing()
    return train(options.run, folder, options.resume)


def read(game: str, argv: Sequence[str]) -> Any:
    """Return the `Options` of a command line; see `cli.train.parse`."""
    return parse(game, argv, options=Options, find=find_preset, models=MODELS_OF_AGENTS)


def train(config: AgentRun, folder: RunFolder, resume: bool) -> int:
    """Run, then print the table and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the configuration does not fit; nothing has been done then.
    """
    from relational_rnn.rl.agents import trainings_of
    from relational_rnn.rl.run import check, command_of, run

    console = make_console(of_training=True)
    check(config)

    def work() -> AgentResults:
        labels = {training.name: training.label for training in trainings_of(config)}
        with Display(console, labels, NUMBERS_OF_AGENTS, counted="frames") as display:
            return run(config, folder, resume=resume, show=display.show)

    with folder.writing(command_of(config), config, resume):
        frames = config.updates * config.learning.rollout * config.play.games
        console.print(
            f"{title_of(config)}; {frames:,} frames an agent, into {folder.path}. Ctrl-C saves and stops."
        )
        return train_and_show(
            console,
            folder,
            command_of(config),
            work,
            lambda results: present(console, config, folder, results),
        )


def title_of(config: AgentRun) -> str:
    """Return what is played, in words."""
    told = [f"{name} {_plain(value)}" for name, value in vars(config.task).items()]
    return f"{config.task.name} ({', '.join(told)})"


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def present(console: Console, config: AgentRun, folder: RunFolder, results: AgentResults) -> list[Path]:
    """Print the table, draw the curves and an episode of each agent; return the files written."""
    several = f"; means of {config.seeds} seeds (lowest to highest)" if config.seeds > 1 else ", one seed"
    print_table(
        console,
        table_of(results),
        title=f"{config.task.name}: mean return of {results.episodes} episodes on levels that no agent "
        f"trained on{several}",
    )
    print_table(console, events_of(results), title="What happens in an episode.")
    for model in results.models.values():
        for training in model.trainings:
            if training.diverged is not None:
                console.print(f"{training.name}: {training.diverged}")
    if results.wall_seconds is not None:
        console.print(f"Wall time of all trainings: {results.wall_seconds:.0f} s")
    console.print(f"Watch an agent play: relational-rnn play {folder.path}")
    if not can_draw():
        return []
    from relational_rnn.cli.watch import animate

    figure = draw_returns(
        curves_of(config, folder, results),
        players={name: played.mean_return for name, played in results.players.items()},
        title=f"{config.task.name}: what agents score while they learn",
        about=title_of(config),
    )
    files = [save(figure, folder.plots / "returns.png")]
    files += [animate(folder.path, name, folder.plots / f"episode-{name}.gif") for name in results.models]
    return files


def table_of(results: AgentResults) -> Table:
    """Return agents and players with what they scored; the best agent is in bold."""
    best = max(model.mean_return for model in results.models.values())
    rows = []
    for model in results.models.values():
        told = f"{model.mean_return:.2f}"
        if len(model.trainings) > 1:
            told += f" ({model.lowest_return:.2f} to {model.highest_return:.2f})"
        steps = mean(one.played.mean_steps for one in model.trainings)
        speed = mean(one.frames_per_second for one in model.trainings)
        cells = [model.label, f"{model.parameters:,}", told, f"{steps:.1f}", f"{speed:,.0f}"]
        rows.append((model.mean_return == best, cells))
    for name, one in results.players.items():
        cells = [f"{name} player", "-", f"{one.mean_return:.2f}", f"{one.mean_steps:.1f}", "-"]
        rows.append((False, cells))
    return Table(("agent", "parameters", "return", "steps", "frames/s"), rows)


def events_of(results: AgentResults) -> Table:
    """Return how often each thing happens in an episode of agents and players, means over the seeds."""
    everyone = {model.label: [one.played for one in model.trainings] for model in results.models.values()}
    everyone |= {f"{name} player": [one] for name, one in results.players.items()}
    events = tuple(next(iter(results.players.values())).events)
    rows = [
        (False, [who, *(f"{mean(one.events[event] for one in played):.2f}" for event in events)])
        for who, played in everyone.items()
    ]
    return Table(("agent", *events), rows)


class _Point(NamedTuple):
    """What every point of a curve in metrics.jsonl has."""

    frames: int
    curve_return: float


def _points(folder: RunFolder, name: str) -> list[_Point]:
    records = [record for record in folder.records(name) if "curve_return" in record]
    try:
        if not records:
            raise ValueError("it has no point of the curve")
        return [
            decode(_Point, {field: one[field] for field in _Point._fields if field in one}, "a point")
            for one in records
        ]
    except ValueError as error:
        files = f"{folder.score(name)} and {folder.checkpoint(name)}"
        remedy = f"remove {files}: with --resume {name} then starts anew"
        what = f"is missing or damaged, for the finished training {name}: {error}"
        raise BadFile(folder.metrics, what, remedy) from None


def curves_of(config: AgentRun, folder: RunFolder, results: AgentResults) -> list[ReturnCurve]:
    """Return a curve for each core: mean and range over the seeds.

    Raises:
        BadFile: metrics.jsonl lacks a curve, or a point is damaged.
    """
    found = []
    for name, model in results.models.items():
        seeds = [_points(folder, one.name) for one in model.trainings]
        shared = min(map(len, seeds))
        columns = list(zip(*([point.curve_return for point in one[:shared]] for one in seeds)))
        found.append(
            ReturnCurve(
                model.label,
                name,
                frames=[point.frames for point in seeds[0][:shared]],
                returns=[sum(column) / len(column) for column in columns],
                low=[min(column) for column in columns] if config.seeds > 1 else [],
                high=[max(column) for column in columns] if config.seeds > 1 else [],
            )
        )
    return found
