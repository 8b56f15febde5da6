"""`relational-rnn report RUN [RUN...]`: one page with what runs have found and what is inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from relational_rnn.analysis.report import RunPage
    from relational_rnn.training.config import RunConfig
    from relational_rnn.training.results import RunResult
    from relational_rnn.training.run_folder import RunFolder

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
    options = tyro.cli(Report, prog="relational-rnn report", args=list(argv))
    if not options.runs:
        raise ValueError("which run? relational-rnn report RUN [RUN...]")

    from relational_rnn.analysis.report import check_one_task, write_report
    from relational_rnn.training.run_folder import find_output

    runs = tuple(dict.fromkeys(options.runs))  # what is named twice counts once
    out = options.out or (runs[0] / SEVERAL if len(runs) == 1 else Path(SEVERAL))
    read = [read_run(path) for path in runs]
    check_one_task([(str(folder.path), results) for folder, _, results in read])
    target = find_output(out)  # raises before the models have answered
    pages = [run_page(*run) for run in read]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_report(out, pages)
    print(f"Written: {out}")
    return 0


def read_run(path: Path) -> tuple[RunFolder, RunConfig[Any], RunResult]:
    """Read what a finished run left behind.

    Raises:
        ValueError: no run, one that is not finished, or one of another command.
        BadFile: a file of it is damaged.
    """
    from relational_rnn.config.checks import BadFile
    from relational_rnn.tasks import find_task
    from relational_rnn.training.results import read_results
    from relational_rnn.training.run_folder import CONFIG_REMEDY, RunFolder, config_from

    folder = RunFolder(path)
    recorded = folder.require()
    command, *task = recorded["command"].split()
    if command != "train":
        raise ValueError(
            f"{path} holds a run of `{recorded['command']}`, which writes its own report.html; report takes "
            f"runs of `train`, such as those in {path / 'runs'}"
        )
    if not folder.results.exists():
        raise ValueError(
            f"{path} holds a run that is not finished (no results.json): go on with relational-rnn "
            f"{recorded['command']} --out {path} --resume"
        )
    results = read_results(folder.results)
    try:
        config = config_from(find_task(task[0] if task else ""), recorded["config"])
    except ValueError as error:
        raise BadFile(folder.config, f"does not hold the settings of a run: {error}", CONFIG_REMEDY) from None
    return folder, config, results


def run_page(folder: RunFolder, config: RunConfig[Any], results: RunResult) -> RunPage:
    """Return what the page shows of a finished run.

    Args:
        folder: of the run.
        config: of the run.
        results: of the run.
    """
    from relational_rnn.analysis import selected_only
    from relational_rnn.analysis.report import RunPage
    from relational_rnn.analysis.run_curves import curves_of, losses_of, points_of
    from relational_rnn.analysis.titles import title_of
    from relational_rnn.cli.recorded import look
    from relational_rnn.tasks import entry_of

    evaluations = points_of(results, folder)
    return RunPage(
        name=str(folder.path),
        title=title_of(config),
        description=entry_of(config.task).description,
        config=folder.require(),
        results=results,
        curves=curves_of(config, results, evaluations),
        losses=losses_of(results, {name: folder.records(name) for name in evaluations}),
        looked=look(config, folder, selected_only(results)),
        memories=_memories(folder.path / "memory.json"),
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
