"""`relational-rnn train GAME`: agents that learn to play, beside players that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic

import tyro
from rich.console import Console

from relational_rnn.analysis.report import write_agents_report
from relational_rnn.analysis.style import can_draw, check_drawing
from relational_rnn.cli.agents_figures import draw_agents
from relational_rnn.cli.agents_report import (
    AgentsRun,
    about,
    agents_page,
    diverged,
    events_of,
    table_of,
    title_of,
)
from relational_rnn.cli.progress import NUMBERS_OF_AGENTS, Display
from relational_rnn.cli.run import make_console, print_table, require, train_and_show
from relational_rnn.cli.train import DEFAULT_PRESET, T, folder_of, parse
from relational_rnn.rl.config import MODELS_OF_AGENTS, AgentRun
from relational_rnn.rl.presets import presets_of
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
    return parse(game, argv, options=Options, presets=presets_of(game), models=MODELS_OF_AGENTS)


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


def present(console: Console, config: AgentRun, folder: RunFolder, results: AgentResults) -> list[Path]:
    """Print the table, write the report, draw the curves and an episode of each agent; return the files."""
    print_table(console, table_of(results), title=f"{config.task.name}: mean return of {about(results)}")
    events = events_of(results)
    if events is not None:
        print_table(console, events, title="What happens in an episode.")
    for told in diverged(results):
        console.print(told)
    if results.wall_seconds is not None:
        console.print(f"Wall time of all trainings: {results.wall_seconds:.0f} s")
    console.print(f"Watch an agent play: relational-rnn play {folder.path}")
    finished = AgentsRun(config, folder, results)
    report = write_agents_report(folder.report, agents_page(finished))
    figures, _ = draw_agents(finished) if can_draw() else ([], {})
    return [*figures, report]
