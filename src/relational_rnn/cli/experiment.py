"""What `ablate` and `sweep` share: their flags, their folder, and how a person sees what came out."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from relational_rnn.analysis import (
    Table,
    factor_figure,
    factor_table,
    overview_figure,
    points_table,
    write_report,
)
from relational_rnn.analysis.variants import Value, scores_of
from relational_rnn.cli.overview import Overview
from relational_rnn.cli.run import (
    make_console,
    print_table,
    require_libraries,
    seeds_in_words,
    train_and_show,
)
from relational_rnn.cli.train import Options, T, parse, split_task
from relational_rnn.config.checks import BadFile
from relational_rnn.experiments.factors import Range, Variant
from relational_rnn.experiments.many import (
    jobs_of,
    summaries,
    train_jobs,
    write_results,
)
from relational_rnn.training.config import RunConfig
from relational_rnn.training.run import check
from relational_rnn.training.run_folder import CONFIG_REMEDY, RunFolder

SHOWN = 20
"""Points of a sweep that the screen shows; the report has all."""

HALF_WAY = (
    "half way: examples, and then seconds, until the validation accuracy was half of the way from the "
    "trivial score to 100 %"
)


@dataclass(frozen=True, kw_only=True)
class Experiment(Options[T]):
    """Options of a command that trains many variants of a run."""

    over: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FACTOR=VALUES")] = ()
    """A factor and its values, as in num_heads=1,2,4; can be given several times."""


def resolve(command: str, argv: Sequence[str], options: Any, **defaults: Any) -> tuple[str, Any]:
    """Return the task and the options of a command line.

    A resumed run keeps its own factors unless flags name others, which the run folder then tells.

    Args:
        command: "ablate" or "sweep".
        argv: after the command.
        options: kind of the options, an `Experiment`.
        defaults: values that replace the preset's.

    Raises:
        ValueError: no task, unknown names, values out of range.
    """
    task, words = split_task(command, argv)
    if "--resume" in words and not any(word.split("=")[0] == "--over" for word in words):
        words = _recorded_flags(command, task, words) + words
    found = parse(task, words, command=command, options=options, defaults=defaults)
    if found.resume and found.out is None:
        raise ValueError("which run? --resume needs the run's folder, --out DIR")
    if not found.over:
        raise ValueError(f"what varies? relational-rnn {command} {task} --over FACTOR=VALUE,VALUE,...")
    return task, found


def _recorded_flags(command: str, task: str, words: Sequence[str]) -> list[str]:
    """Return the flags that the run to go on with was started with, beside its settings."""
    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        config = Path(value if equals else following) / "config.json"
        if name == "--out" and config.exists():
            folder = RunFolder(config.parent)
            recorded = folder.require()
            folder.check_command(f"{command} {task}", recorded)
            try:
                return shlex.split(recorded["command"])[2:]
            except ValueError as error:
                raise BadFile(config, f"holds no command: {error}", CONFIG_REMEDY) from None
    return []


def check_all(tried: Iterable[RunConfig[Any]]) -> None:
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


def overview_of(console: Console, config: RunConfig[Any], total: int, done: int) -> Overview:
    """Return the progress of so many runs, of which some are done."""
    return Overview(console, total=total, done=done, stages=config.curriculum.grow)


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
    what = f"accuracy on {results['test_examples']:,} test examples, mean of the runs (lowest to highest)"
    for factor in results["factors"]:
        table = factor_table(results, factor)
        tables.append(table)
        print_table(console, table, title=f"\n{results['title']}: {factor}")
    note = uneven(results)
    console.print("\n".join(["", f"test %: {what}", HALF_WAY, *([note] if note else [])]))
    figures = [] if sweep else [overview_figure(results, folder.plots / "all_factors.png")]
    figures += [
        factor_figure(results, factor, folder.plots / f"{factor}.png") for factor in results["factors"]
    ]
    report = write_report(
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
