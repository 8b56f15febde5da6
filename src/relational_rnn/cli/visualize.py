"""`relational-rnn visualize RUN`: the figures of a run's folder, drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from relational_rnn.cli.arguments import NUMBERS

if TYPE_CHECKING:
    from relational_rnn.config.checks import BadFile
    from relational_rnn.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Visualize:
    """Draw the figures of a finished run again, into the plots of its folder."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run of train, compare, ablate or sweep, of a game too."""
    only: str = ""
    """Names of figures, with commas between them; if not given, all. An unknown name lists them."""
    format: Literal["png", "svg", "pdf"] = "png"
    """Of the files; an episode of an agent is a .gif."""
    example: int = 0
    """Number of the test example, from 0, of which the attention is drawn; of agents the level that is
    played."""


def main(argv: Sequence[str]) -> int:
    """Draw; return the exit code."""
    options = tyro.cli(Visualize, prog="relational-rnn visualize", args=list(argv), registry=NUMBERS)
    only = list(dict.fromkeys(name.strip() for name in options.only.split(",") if name.strip()))
    if options.only and not only:
        raise ValueError(f"--only takes names of figures, got {options.only!r}")

    from relational_rnn.analysis.style import check_drawing
    from relational_rnn.cli.finished import is_of_agents
    from relational_rnn.training.run_folder import RunFolder

    folder = RunFolder(options.run)
    check_drawing()
    absent, left_out = dict[str, str](), ""
    if folder.require()["command"].split()[0] in ("ablate", "sweep"):
        written = draw_experiment(folder, only, options.format)
    elif is_of_agents(folder):
        from relational_rnn.cli.agents_figures import draw_agents
        from relational_rnn.cli.agents_report import read_agents

        written, absent = draw_agents(read_agents(folder), only, options.format, options.example)
    else:
        written, absent, left_out = draw_run(options.run, only, options)
    for file in written:
        print(file)
    for name, reason in absent.items():
        print(f"Left out {name}: {reason}.")
    if left_out:
        print(left_out)
    return 0 if written else 1


def draw_run(path: Path, only: Sequence[str], options: Visualize) -> tuple[list[Path], dict[str, str], str]:
    """Draw the figures of a training.

    Returns:
        What `cli.figures.draw_figures` does, and what was left out, in a sentence.
    """
    from relational_rnn.cli.figures import FIGURES, check_names, draw_figures
    from relational_rnn.cli.finished import read_run

    check_names(only, FIGURES)  # before anything is computed
    run = read_run(path, options.example)
    run.check_example()
    return *draw_figures(run, only, options.format), run.left_out


def draw_experiment(folder: RunFolder, only: Sequence[str], suffix: str) -> list[Path]:
    """Draw the figures of an ablation or a sweep: one a factor, and of an ablation all in one.

    Raises:
        ValueError: it has not ended, or a name is unknown.
        BadFile: its results are damaged; no figure is replaced then.
    """
    from relational_rnn.analysis import save
    from relational_rnn.analysis.factor_overview import draw_overview
    from relational_rnn.analysis.factors import draw_factor
    from relational_rnn.cli.figures import check_names
    from relational_rnn.training.files import read_object
    from relational_rnn.training.results import REMEDY

    folder.require_results()
    results: dict[str, Any] = read_object(folder.results, REMEDY)
    try:
        names = [*(["all_factors"] if results["base"] is not None else []), *results["factors"]]
    except (KeyError, TypeError) as error:
        raise _not_of_factors(folder, error) from error
    check_names(only, names)
    try:
        drawn = {
            name: draw_overview(results) if name == "all_factors" else draw_factor(results, name)
            for name in only or names
        }
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _not_of_factors(folder, error) from error
    return [save(figure, folder.plots / f"{name}.{suffix}") for name, figure in drawn.items()]


def _not_of_factors(folder: RunFolder, error: Exception) -> BadFile:
    from relational_rnn.config.checks import BadFile
    from relational_rnn.training.results import REMEDY

    told = f"does not hold the results of an ablation or a sweep ({type(error).__name__}: {error})"
    return BadFile(folder.results, told, REMEDY)
