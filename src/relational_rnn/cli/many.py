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
from relational_rnn.analysis.factors import models_with
from relational_rnn.analysis.headlines import joined
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
from relational_rnn.training.models import LABELS
from relational_rnn.training.run import check
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.variants import Value, scores_of

SHOWN = 20
"""Points of a sweep that the screen shows; the report has all."""

HALF_WAY = (
    "half way: examples, and then seconds, until the validation accuracy was half of the way from the "
    "trivial score to 100 %"
)

OTHERS = (
    "A dash in place of a value: the setting is another model's; points that differ only in such are one row."
)
"""Of a sweep that varies what only some of its models have."""


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
    sweep, seeds, several = results["base"] is None, results["seeds"], len(results["models"]) > 1
    factors = list(results["factors"])
    tables: list[Table] = [points_table(results)] if sweep else []
    if sweep:
        shown = points_table(results, most=SHOWN)
        count = len(tables[0].rows)
        of = "of each model" if several else f"of {count}"
        some = f", the best {SHOWN} {of}" if len(shown.rows) < count else ""
        print_table(console, shown, title=f"{results['title']}: by the validation examples{some}.")
    score, of_runs = score_of(results["task"]), "mean of the runs (lowest to highest)"
    what = f"accuracy on {results['test_examples']:,} test examples, {of_runs}"
    if score is not ACCURACY:
        what = f"how often the likeliest answer is right, {of_runs}; test {score.head}: {score.name} on test"
    for factor in factors:
        table = factor_table(results, factor)
        tables.append(table)
        print_table(console, table, title=f"\n{results['title']}: {factor}")
    lacking = sweep and any(len(models_with(results, factor)) < len(results["models"]) for factor in factors)
    notes = [note for note in (OTHERS if lacking else "", searched(results), uneven(results)) if note]
    console.print("\n".join(["", f"test %: {what}", HALF_WAY, *notes]))
    bold = "Bold: the best mean of each model." if several else "Bold: the best mean."
    figures = []
    if can_draw():
        figures += [] if sweep else [overview_figure(results, folder.plots / "all_factors.png")]
        figures += [factor_figure(results, factor, folder.plots / f"{factor}.png") for factor in factors]
    report = write_page(
        folder.report,
        folder.require(),
        title=results["title"],
        explanation=f"test %: {what}, {seeds} for each variant. {HALF_WAY}. {bold} {' '.join(notes)}",
        tables=tables,
        figures=figures,
    )
    return [*figures, report]


def searched(results: dict[str, Any]) -> str:
    """Return whose score a search of several models went by, else nothing."""
    first, *others = results["models"]
    return search_in_words(results["task"], first, others) if results.get("searched_by") and others else ""


def search_in_words(task: str, model: str, others: Sequence[str]) -> str:
    """Return whose score a search goes by, and that the other models are only trained where it looks.

    Example:
        >>> search_in_words("sorting", "rmc", ["lstm"])
        'The search goes by the validation accuracy of RMC, the first of --models; LSTM is trained along.'
    """
    told = joined([LABELS.get(other, other) for other in others])
    by = f"the validation {score_of(task).name} of {LABELS.get(model, model)}, the first of --models"
    return f"The search goes by {by}; {told} {'is' if len(others) == 1 else 'are'} trained along."


def uneven(results: dict[str, Any]) -> str:
    """Return a warning if the trainings of a model have not all seen as many examples, else nothing."""
    told = []
    for model in results["models"]:
        varied = {
            name.rpartition(".")[2] for name in results["factors"] if model in models_with(results, name)
        }
        seen = {score["examples"] for score in scores_of(results["variants"], model)}
        if len(seen) > 1 and not {"steps", "steps_factor", "batch_size", "seconds"} & varied:
            of = f" of {LABELS.get(model, model)}" if len(results["models"]) > 1 else ""
            told.append(f"The trainings{of} have seen between {min(seen):,} and {max(seen):,} examples")
    why = "some ended early, by the clock (--seconds) or by their patience."
    return f"{'. '.join(told)}: {why}" if told else ""
