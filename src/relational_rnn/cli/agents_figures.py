"""The figures of a run of agents: learning curves, and an episode of the best agent with each core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relational_rnn.analysis.episode import check_animation
from relational_rnn.analysis.returns import draw_returns
from relational_rnn.analysis.style import save
from relational_rnn.cli.agents_report import AgentsRun, curves_of, title_of
from relational_rnn.cli.figures import check_names
from relational_rnn.config.checks import check_size
from relational_rnn.rl.config import LEVELS
from relational_rnn.training.files import find_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RETURNS, EPISODE = "returns", "episode-"


def draw_agents(
    run: AgentsRun, only: Sequence[str] = (), suffix: str = "png", level: int = 0
) -> tuple[list[Path], dict[str, str]]:
    """Draw the figures into the run's plots: `returns`, and `episode-MODEL` as .gif.

    Args:
        run: finished.
        only: their names; all if there are none.
        suffix: of the curves' file.
        level: which is played, counted from the first of the levels of the scores.

    Returns:
        The files; and of the episodes that cannot be played, why not.

    Raises:
        ValueError: an unknown name, or a level below 0.
        BadFile: a file that they are drawn from is damaged.
        ImportError: torch is absent, which an episode takes.
    """
    names = [RETURNS, *(EPISODE + model for model in run.results.models)]
    check_names(only, names)
    check_size("example", level, 0)
    wanted = [name for name in names if not only or name in only]
    paths = {
        name: run.folder.plots / (f"{name}.{suffix}" if name == RETURNS else f"{name}.gif") for name in wanted
    }
    for name, path in paths.items():  # raises before an agent has played
        find_target(path) if name == RETURNS else check_animation(path)
    written, absent = list[Path](), dict[str, str]()
    for name, path in paths.items():
        if name == RETURNS:
            written.append(save(_returns(run), path))
            continue
        from relational_rnn.cli.run import require

        require("torch")
        from relational_rnn.cli.watch import animate

        try:
            model = name.removeprefix(EPISODE)
            written.append(animate(run.folder.path, model, path, seed=LEVELS["score"] + level))
        except FileNotFoundError as gone:
            absent[name] = f"weights are gone ({gone.filename})"
    return written, absent


def _returns(run: AgentsRun) -> Figure:
    return draw_returns(
        curves_of(*run),
        players={name: played.mean_return for name, played in run.results.players.items()},
        title=f"{run.config.task.name}: what agents score while they learn",
        about=title_of(run.config),
    )
