"""`relational-rnn report RUN [RUN...]`: one page with what runs have found and what is inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from relational_rnn.cli.arguments import NUMBERS

if TYPE_CHECKING:
    from relational_rnn.analysis.report import RunPage
    from relational_rnn.cli.finished import FinishedRun

SEVERAL = "report.html"
"""Where a page of several runs goes, if nothing else is said: into the current folder."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write the report of a run: finding, table and curves, examples with every model's answer, and what the
    models do at each step. It is one HTML file that needs no network. Several runs stand side by side.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folders of finished runs, all of one task."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The page; if not given, report.html in the folder of the run, of several in the current folder."""


def main(argv: Sequence[str]) -> int:
    """Write the page; return the exit code."""
    options = tyro.cli(Report, prog="relational-rnn report", args=list(argv), registry=NUMBERS)
    if not options.runs:
        raise ValueError("which run? relational-rnn report RUN [RUN...]")

    from relational_rnn.analysis.report import check_one_task, write_report
    from relational_rnn.cli.finished import is_of_agents, read_run
    from relational_rnn.training.run_folder import RunFolder, find_output

    runs = tuple(dict.fromkeys(options.runs))  # what is named twice counts once
    out = options.out or (runs[0] / SEVERAL if len(runs) == 1 else Path(SEVERAL))
    if any(is_of_agents(folder) for folder in map(RunFolder, runs)):
        return report_agents(runs, out)
    read = [read_run(path) for path in runs]
    check_one_task([(str(run.folder.path), run.results) for run in read])
    target = find_output(out)  # raises before the models have answered
    pages = [run_page(run) for run in read]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_report(out, pages)
    print(f"Written: {out}")
    for run in read:
        if run.left_out:
            print(f"{run.folder.path}: {run.left_out}" if len(read) > 1 else run.left_out)
    return 0


def report_agents(runs: Sequence[Path], out: Path) -> int:
    """Write the page of a run of agents; return the exit code.

    Raises:
        ValueError: there are other runs beside it.
    """
    if len(runs) > 1:
        raise ValueError(
            f"a run of agents has a page of its own, got {len(runs)} runs: write one report for each"
        )

    from relational_rnn.analysis.report import write_agents_report
    from relational_rnn.cli.agents_report import agents_page, read_agents
    from relational_rnn.cli.run import require
    from relational_rnn.training.run_folder import RunFolder, find_output

    require("torch")
    run = read_agents(RunFolder(runs[0]))
    target = find_output(out)  # raises before the agents have played
    page = agents_page(run)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_agents_report(out, page)
    print("\n".join([f"Written: {out}", *page.notes]))
    return 0


def run_page(run: FinishedRun) -> RunPage:
    """Return what the page shows of a finished run."""
    from relational_rnn.analysis.report import RunPage
    from relational_rnn.analysis.run_curves import curves_of, losses_of
    from relational_rnn.analysis.titles import title_of
    from relational_rnn.cli.recorded import look
    from relational_rnn.tasks import entry_of

    return RunPage(
        name=str(run.folder.path),
        title=title_of(run.config),
        description=entry_of(run.config.task).description,
        config=run.folder.require(),
        results=run.results,
        curves=curves_of(run.config, run.results, run.evaluations),
        losses=losses_of(run.results, run.records),
        looked=look(run),
        memories=_memories(run.folder.path / "memory.json"),
    )


def _memories(path: Path) -> list[dict[str, Any]]:
    """Return what a run's memory.json says of its memories: a few numbers a model.

    Raises:
        BadFile: it is damaged.
    """
    from relational_rnn.config.checks import BadFile
    from relational_rnn.training.files import read_object

    if not path.exists():
        return []
    remedy = "remove it: --resume writes it again"
    models: Any = read_object(path, remedy).get("models")
    right = isinstance(models, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and one.keys() == models[0].keys()
        and all(isinstance(value, str | int | float) or value is None for value in one.values())
        for one in models
    )
    if not right:
        raise BadFile(path, "must hold models, a list with the name and the numbers of each", remedy)
    return list(models)
