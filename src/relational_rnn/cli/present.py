"""What a person sees of a run of any task: live progress, tables at the end, figures and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from relational_rnn.analysis import (
    compare_memories,
    cost_table,
    kinds_table,
    regimes_table,
    score_table,
    selected_only,
    summary_table,
    write_report,
)
from relational_rnn.analysis.style import can_draw
from relational_rnn.analysis.tables import TO_NINETY, divergences
from relational_rnn.analysis.titles import title_of
from relational_rnn.cli.figures import draw_figures
from relational_rnn.cli.finished import FinishedRun
from relational_rnn.cli.progress import Display, numbers_of
from relational_rnn.cli.report import run_page
from relational_rnn.cli.run import make_console, print_table, seeds_in_words, train_and_show
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.tasks.splits import score_to_beat
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.distributed import ALONE, Team, check_together
from relational_rnn.training.files import write_json
from relational_rnn.training.place import place
from relational_rnn.training.results import RunResult
from relational_rnn.training.run import check, command_of, run
from relational_rnn.training.run_folder import INSIDES, RunFolder


def train(config: RunConfig, path: Path, resume: bool) -> int:
    """Run, then print the tables and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the configuration does not fit; nothing has been done then.
    """
    own = place()
    if own is None:
        return _train(config, path, resume, ALONE)
    check_together(config, own.size)
    from relational_rnn.training.learners.distributed import joined

    with joined(own) as team:
        return _train(config, path, resume, team)


def _train(config: RunConfig, path: Path, resume: bool, team: Team) -> int:
    console, folder = make_console(of_training=True), RunFolder(path)
    check(config)
    trivial = trivial_in_words(config)

    def work() -> RunResult:
        labels = {contestant.name: contestant.label for contestant in contestants(config)}
        of = entry_of(config.task).score
        with Display(console, labels, numbers_of(of), stages=config.curriculum.grow) as display:
            return run(
                config,
                folder,
                resume=resume,
                show=lambda c, record: display.show(c.name, record),
                team=team,
            )

    with folder.writing(command_of(config), config, resume):
        console.print(
            f"{title_of(config)}; {seeds_in_words(config)}, into {path}. "
            f"Trivial score: {trivial}. Ctrl-C saves and stops."
        )
        return train_and_show(
            console,
            folder,
            command_of(config),
            work,
            lambda results: present(console, config, folder, results),
        )


def trivial_in_words(config: RunConfig) -> str:
    """Return what a model without understanding scores on the test of a run."""
    score, known = entry_of(config.task).score, splits_of(alone(config, config.seed)).trivial
    if score is ACCURACY:
        return f"{score_to_beat(known['test']):.1%}"
    return score.in_words(min(value for value in known[score.key].values() if value is not None))


def present(console: Console, config: RunConfig, folder: RunFolder, results: RunResult) -> list[Path]:
    """Print the tables, draw the figures, write the report.

    Returns:
        The files written.
    """
    count, selected = results.test_examples, selected_only(results)
    several = f" Means of {config.seeds} seeds (lowest to highest)." if config.seeds > 1 else ""
    harder = "" if results.harder is None else f"; harder: {results.harder}"
    print_tables(console, config, results, selected, f"{count:,} test examples{harder}.{several}")
    finished = FinishedRun(config, folder, results)
    figures = draw_figures(finished)[0] if can_draw() else []
    written = write_insides(finished)
    report = write_report(folder.report, [run_page(finished)])
    return [*written, *figures, report]


def write_insides(run: FinishedRun) -> list[Path]:
    """Write what the models of a run are like inside, as numbers; return the files."""
    records: dict[str, Any] = {}
    if run.memories:
        models = compare_memories(run.memories, run.mask(run.chosen))
        records["memory"] = {"examples": run.what, "models": models}
    if run.has_insides:
        records["mistakes"] = run.mistakes
        if "rmc" in run.results.models:
            records |= run.insides[1]
    written = {run.folder.path / f"{name}.json": records[name] for name in INSIDES if name in records}
    for path, record in written.items():
        write_json(path, record)
    return list(written)


def print_tables(
    console: Console,
    config: RunConfig,
    results: RunResult,
    selected: RunResult,
    what: str,
) -> None:
    """Print the tables that fit the screen.

    Args:
        console: where to.
        config: of the run.
        results: of the run.
        selected: as `selected_only` returns it.
        what: the scores are of, in words.
    """
    summary, score = summary_table(selected), entry_of(config.task).score
    caption = TO_NINETY if score is ACCURACY else None
    print_table(console, summary, title=f"{title_of(config)}: {score.name} on {what}", caption=caption)
    if any(len(model.trainings) > len(model.selected) for model in results.models.values()):
        regimes = regimes_table(results) if config.seeds > 1 else score_table(results)
        print_table(console, regimes, title="Every training.", caption="* counts for its model", mark="*")
    costs = cost_table(selected)
    for table, heading in (
        (kinds_table(results), "Test accuracy by kind of question."),
        (costs if len(results.models) > 1 else None, "What a model costs."),
    ):
        if table is not None:
            print_table(console, table, title=heading)
    for told in divergences(results):
        console.print(told)
    if results.wall_seconds is not None:
        console.print(f"Wall time of all trainings: {results.wall_seconds:.0f} s")
