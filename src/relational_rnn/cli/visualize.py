"""`relational-rnn visualize RUN`: the figures of a run's folder, drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from relational_rnn.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Visualize:
    """Draw the figures of a finished run again, into the plots of its folder."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run of train, compare, ablate or sweep."""
    only: str = ""
    """Names of figures, with commas between them; if not given, all. An unknown name lists them."""
    format: Literal["png", "svg", "pdf"] = "png"
    """Of the files."""
    example: int = 0
    """Number of the test example, from 0, of which the attention is drawn."""


def main(argv: Sequence[str]) -> int:
    """Draw; return the exit code."""
    options = tyro.cli(Visualize, prog="relational-rnn visualize", args=list(argv))
    only = [name.strip() for name in options.only.split(",") if name.strip()]

    from relational_rnn.analysis.style import check_drawing
    from relational_rnn.training.run_folder import RunFolder

    folder = RunFolder(options.run)
    check_drawing()
    absent: dict[str, str] = {}
    if folder.require()["command"].split()[0] in ("ablate", "sweep"):
        written = draw_experiment(folder, only, options.format)
    else:
        written, absent = draw_run(options.run, only, options)
    for file in written:
        print(file)
    for name, reason in absent.items():
        print(f"no {name}: {reason}")
    return 0 if written else 1


def draw_run(path: Path, only: Sequence[str], options: Visualize) -> tuple[list[Path], dict[str, str]]:
    """Draw the figures of a training; see `cli.figures.draw_figures`."""
    from relational_rnn.cli.figures import FIGURES, FinishedRun, check_names, draw_figures
    from relational_rnn.cli.report import read_run

    check_names(only, FIGURES)  # before anything is computed
    folder, config, results = read_run(path)
    return draw_figures(FinishedRun(config, folder, results, options.example), only, options.format)


def draw_experiment(folder: RunFolder, only: Sequence[str], suffix: str) -> list[Path]:
    """Draw the figures of an ablation or a sweep: one a factor, and of an ablation all in one.

    Raises:
        ValueError: it has not ended, or a name is unknown.
    """
    from relational_rnn.analysis import factor_figure, overview_figure
    from relational_rnn.cli.figures import check_names
    from relational_rnn.training.files import read_object
    from relational_rnn.training.results import REMEDY

    if not folder.results.exists():
        raise ValueError(f"{folder.path} holds a run that is not finished (no results.json)")
    results: dict[str, Any] = read_object(folder.results, REMEDY)
    names = [*(["all_factors"] if results["base"] is not None else []), *results["factors"]]
    check_names(only, names)
    return [
        overview_figure(results, folder.plots / f"{name}.{suffix}")
        if name == "all_factors"
        else factor_figure(results, name, folder.plots / f"{name}.{suffix}")
        for name in only or names
    ]
