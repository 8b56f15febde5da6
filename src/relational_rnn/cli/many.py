"""What `ablate` and `sweep` share of their work: the folder, and how a person sees what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from relational_rnn.analysis import (
    Table,
    factor_figure,
    factor_table,
    overview_figure,
    points_table,
    write_page,
)
from relational_rnn.analysis.style import can_draw
from relational_rnn.cli.experiment import Experiment
from relational_rnn.cli.overview import Overview
from relational_rnn.cli.run import (
    make_console,
    print_table,
    require_libraries,
    seeds_in_words,
    train_and_show,
)
from relational_rnn.experiments.factors import Range, Variant
from relational_rnn.experiments.many import (
    jobs_of,
    summaries,
    train_jobs,
    write_results,
)
from relational_rnn.tasks import entry_of, score_of
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.training.config import RunConfig
from relational_rnn.training.run import check
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.variants import Value, scores_of

SHOWN = 20
"""Points of a sweep that the screen shows; the report has all."""

HALF_WAY = (
    "half way: examples, and then seconds, until the validation accuracy was half of the way from the "
    "trivial score to 100 %"
)


def check_all(tried: Iterable[RunConfig]) -> None:
    """Check that all runs can be trained.

    Raises:
        ModuleNotFoundError: a library that a run needs, or that the figures need, is absent.
        ValueError: see `training.run.check`.
    """
    for config in tried:
        require_libraries(config)
        check(config)


def folder_of(command: str, task: str, options: Experiment[Any]) -> Path:
    """Return the folder that a command writes into."""
    origin = options.preset if options.config is None else options.config.stem
    return options.out or Path("runs") / f"{command}-{task}-{origin}-seed{options.run.seed}"


def overview_of(console: Console, config: RunConfig, total: int, done: int) -> Overview:
    """Return the progress of so many runs, of which some are done."""
    of = entry_of(config.task).score
    return Overview(console, total=total, done=done, of=of, stages=config.curriculum.grow)


def train_variants(
    recorded: str,
    options: Experiment[Any],
    factors: Mapping[str, tuple[Value, ...] | Range],
    variants: Sequence[Variant],
    *,
    told: str,
) -> int:
    """Train every variant in this command, show what came out, and return the exit code.

    Args:
        recorded: the command, its task and its own flags, for config.json.
        options: of the command.
        factors: what varies.
        variants: the settings of each.
        told: what people read of them, after their number.
    """
    command, task = recorded.split()[:2]
    config, path = options.run, folder_of(command, task, options)
    console, folder = make_console(of_training=True), RunFolder(path)
    jobs = [jobs_of(variant, path / "runs" / variant.name) for variant in variants]
    every = [job for of_variant in jobs for job in of_variant]

    def work() -> dict[str, Any]:
        done = sum(RunFolder(job.path).results.exists() for job in every)
        with overview_of(console, config, len(every), done) as overview:
            train_jobs(every, config.runtime.at_once, overview.show)
        return write_results(folder, f"{command} {task}", config, factors, summaries(variants, jobs))

    with folder.writing(recorded, config, options.resume):
        console.print(
            f"{task}: {len(variants)} {told}, {seeds_in_words(config)}, "
            f"{len(every)} runs, into {path}. Ctrl-C saves and stops."
        )
        return train_and_show(
            console, folder, f"{command} {task}", work, lambda results: present(console, folder, results)
        )


def present(console: Console, folder: RunFolder, results: dict[str, Any]) -> list[Path]:
    """Print the tables, draw a figure for each factor (of an ablation also of all), write the report.

    Returns:
        The files written.
    """
    sweep, seeds = results["base"] is None, results["seeds"]
    tables: list[Table] = [points_table(results)] if sweep else []
    if sweep:
        count = len(results["variants"])
        some = f", the best {SHOWN} of {count}" if count > SHOWN else ""
        shown = points_table(results, most=SHOWN)
        print_table(console, shown, title=f"{results['title']}: by the validation examples{some}.")
    score, of_runs = score_of(results["task"]), "mean of the runs (lowest to highest)"
    what = f"accuracy on {results['test_examples']:,} test examples, {of_runs}"
    if score is not ACCURACY:
        what = f"how often the likeliest answer is right, {of_runs}; test {score.head}: {score.name} on test"
    for factor in results["factors"]:
        table = factor_table(results, factor)
        tables.append(table)
        print_table(console, table, title=f"\n{results['title']}: {factor}")
    note = uneven(results)
    console.print("\n".join(["", f"test %: {what}", HALF_WAY, *([note] if note else [])]))
    figures = []
    if can_draw():
        figures += [] if sweep else [overview_figure(results, folder.plots / "all_factors.png")]
        figures += [
            factor_figure(results, factor, folder.plots / f"{factor}.png") for factor in results["factors"]
        ]
    report = write_page(
        folder.report,
        folder.require(),
        title=results["title"],
        explanation=f"test %: {what}, {seeds} for each variant. {HALF_WAY}. Bold: the best mean. {note}",
        tables=tables,
        figures=figures,
    )
    return [*figures, report]


def uneven(results: dict[str, Any]) -> str:
    """Return a warning if the first model's trainings have not all seen as many examples, else nothing."""
    first = results["models"][0]
    seen = {score["examples"] for score in scores_of(results["variants"], first)}
    if len(seen) < 2 or {"steps", "batch_size", "seconds"} & set(results["factors"]):
        return ""
    return (
        f"The trainings have seen between {min(seen):,} and {max(seen):,} examples: some ended early, by the "
        "clock (--seconds) or by their patience."
    )
