"""The main job as a person sees it: live progress, the table at the end, figures and report."""

from __future__ import annotations

import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from relational_rnn.analysis import (
    SCORE_COLUMNS,
    Bar,
    Curve,
    StageChange,
    accuracy_bars,
    attention_example,
    attention_heatmap,
    binomial_half_width,
    score_rows,
    training_curves,
    write_report,
)
from relational_rnn.cli.progress import Display
from relational_rnn.training.common.nth_farthest import PICTURE, NthFarthestSettings
from relational_rnn.training.common.processes import Interrupted, RunFailed
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.torch.attention import record_questions
from relational_rnn.training.torch.models import contestants, load_model
from relational_rnn.training.torch.run import COMMAND, prepare, run, weights_path


def train_and_show(settings: NthFarthestSettings, path: Path, resume: bool) -> int:
    """Run, then print the table and draw the figures; return the exit code.

    Raises:
        ValueError: the folder or the settings do not fit; nothing has been done then.
    """
    console, folder = Console(highlight=False, markup=False, soft_wrap=True), RunFolder(path)
    prepare(settings, folder, resume)
    again = f"{shlex.quote(sys.argv[0])} {COMMAND} --out {shlex.quote(str(path))} --resume"
    task = settings.task
    console.print(
        f"Nth farthest, {task.objects} vectors of {task.dimensions} dimensions, seed {settings.seed}, "
        f"into {path}. Trivial score: {task.trivial_accuracy:.1%}. Ctrl-C saves and stops."
    )
    # A scheduler's polite kill stops like Ctrl-C, also in the background, where Ctrl-C is switched off.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        with Display(console, contestants(settings)) as display:
            results = run(settings, folder, resume=resume, show=display.show)
        console.print(result_table(results))
        if results["wall_seconds"] is not None:
            console.print(f"Wall time of all trainings: {results['wall_seconds']:.0f} s")
        figures = draw_figures(settings, folder, results)
        report = write_report(path / "report.html", folder.require(), results, figures)
    except (Interrupted, KeyboardInterrupt):
        console.print(f"Stopped; everything is saved. Go on with:\n  {again}")
        return 130
    except RunFailed as failed:
        print(f"error: {failed}\nWhat was saved can be resumed:\n  {again}", file=sys.stderr)
        return 1
    except Exception:  # the run's own fault, not wrong use: with its trace, and what is saved stays
        traceback.print_exc()
        print(f"error: the run failed; what was saved can be resumed:\n  {again}", file=sys.stderr)
        return 1
    written = [folder.results, folder.metrics, *figures, report]
    console.print("Written: " + ", ".join(str(file) for file in written))
    return 0


def result_table(results: dict[str, Any]) -> Table:
    """Make the table of all trainings; the one that counts for its model is marked."""
    size = results["size"]
    table = Table(
        title=f"Nth farthest {size['objects']}x{size['dimensions']}: {results['test_examples']:,} fresh "
        f"examples, trivial score {results['trivial_accuracy']:.1%}",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    first, *numbers = SCORE_COLUMNS
    table.add_column(first)  # gives way on a narrow terminal, the numbers do not
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for counts, (label, *cells) in score_rows(results):
        table.add_row(f"{'*' if counts else ' '} {label}", *cells, style="bold" if counts else "")
    table.caption, table.caption_justify = (
        "* counts for its model; ± 95 % interval of the examples drawn",
        "left",
    )
    return table


def draw_figures(settings: NthFarthestSettings, folder: RunFolder, results: dict[str, Any]) -> list[Path]:
    """Draw curves, bars and, if there is an RMC, its attention, into the run's plots."""
    trivial = results["trivial_accuracy"]
    title = f"Nth farthest, {settings.objects} vectors of {settings.dimensions} dimensions"
    scores = [(model, s) for model, m in results["models"].items() for s in m["trainings"]]
    curves = [_curve(model, score, folder, settings) for model, score in scores]
    bars = [
        Bar(
            score["label"],
            model,
            score["test_accuracy"],
            binomial_half_width(score["test_accuracy"], results["test_examples"]),
            score["name"] == results["models"][model]["name"],
        )
        for model, score in scores
    ]
    plots = folder.plots
    figures = [
        training_curves(curves, trivial_accuracy=trivial, title=title, path=plots / "training_curves.png"),
        accuracy_bars(bars, trivial_accuracy=trivial, title=title, path=plots / "accuracy.png"),
    ]
    if "rmc" in results["models"]:
        model, _, _ = load_model(weights_path(folder, "rmc"))
        recorded = record_questions(model, settings.task, np.random.default_rng([settings.seed, PICTURE]))
        figures.append(
            attention_heatmap(
                [attention_example(one) for one in recorded],
                title=f"{title}: what the slots attend to",
                path=plots / "attention_heatmap.png",
            )
        )
    return figures


def _curve(model: str, score: dict[str, Any], folder: RunFolder, settings: NthFarthestSettings) -> Curve:
    records = folder.records(score["name"])
    points = [r for r in records if "validation_accuracy" in r]
    stages = []
    for step, objects, dimensions in score["changes"]:
        seconds = next((r["seconds"] for r in records if r["step"] >= step), score["seconds"])
        stages.append(StageChange(step, step * settings.batch_size, seconds, objects, dimensions))
    return Curve(
        score["label"],
        model,
        [p["seconds"] for p in points],
        [p["examples"] for p in points],
        [p["validation_accuracy"] for p in points],
        stages if model == "rmc" else [],
    )
