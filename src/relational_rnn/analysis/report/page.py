"""The report of runs: finding, scores and curves first, then examples, insides and all numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from relational_rnn.analysis.curves import Curve
from relational_rnn.analysis.finding import finding, trivial_score
from relational_rnn.analysis.losses import Losses
from relational_rnn.analysis.report.data import (
    ROOM,
    TEXT_ROOM,
    Looked,
    attention_words,
    curve_values,
    example_values,
    inside_values,
    loss_values,
    model_values,
)
from relational_rnn.analysis.report.shell import (
    again_html,
    curves_html,
    filled,
    inside_html,
    page,
    part,
    table_html,
)
from relational_rnn.analysis.supervised import (
    cost_table,
    generalisation_table,
    kinds_table,
    memory_table,
    seeds_table,
    summary_table,
)
from relational_rnn.analysis.tables import (
    TO_NINETY,
    Table,
    divergences,
    long_words_table,
    longer_table,
    regimes_table,
    score_table,
    selected_only,
)
from relational_rnn.tasks import score_of
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.training.files import write_text
from relational_rnn.training.results import RunResult, to_json, value_of

MOST_COLUMNS = 6
"""Of the table on the first screen; what it leaves out stands further down."""

OVERLAP = "Trainings may run at the same time, so this can be less than the sum of their seconds."

TRIVIAL = {
    "chance": "chance guesses",
    "majority": "majority always gives the most frequent answer",
    "shortcut": "the shortcut is a regularity that takes no reasoning",
}
"""The scores that take no understanding, in words."""


LOSSES = "uniform guesses; unigram knows how often each token is in the training text"
"""The same of a text."""


@dataclass(frozen=True, eq=False)
class RunPage:
    """What the page shows of one run."""

    name: str
    """What the page calls it: its folder."""
    title: str
    """Task and sizes in words."""
    description: str
    """What the task asks."""
    config: Mapping[str, Any]
    """The run's config.json."""
    results: RunResult
    """The run's results.json."""
    curves: Sequence[Curve]
    """Validation accuracy over training."""
    losses: Sequence[Losses]
    """On training batches and on validation examples."""
    looked: Looked
    """Examples and what was recorded on them."""
    memories: Sequence[dict[str, Any]] = ()
    """What `compare_memories` returned."""


def write_report(path: Path, runs: Sequence[RunPage]) -> Path:
    """Write the report of runs, atomically; return its path.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.analysis.losses import Line
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> from relational_rnn.analysis.report.data import NOTHING
        >>> config = {"command": "train sorting", "version": "0.1.0", "commit": None, "config": {"seeds": 2}}
        >>> curve, loss = Curve("RMC", "rmc", [1, 2], [64, 128], [0.5, 0.9]), Line([64], [2.0], [], [])
        >>> drawn = {"curves": [curve], "losses": [Losses("RMC", "rmc", loss, loss)], "looked": NOTHING}
        >>> run = RunPage("runs/a", "sorting, items 8", "Sort.", config, made_up_run(), **drawn)
        >>> with TemporaryDirectory() as folder:
        ...     finding(run.results) in write_report(Path(folder) / "report.html", [run]).read_text()
        True
    """
    write_text(path, report_html(runs))
    return path


def report_html(runs: Sequence[RunPage]) -> str:
    """Return the report of one run, or of several of one task side by side.

    Args:
        runs: at least one, all of one task, see `check_one_task`.
    """
    first, several = runs[0], len(runs) > 1
    values = [_values(run, len(runs)) for run in runs]
    examples = any(one["examples"] for one in values)
    inside = any(one["inside"]["models"] for one in values)
    sections = [
        filled(
            part("examples.html"),
            {
                "examples_hidden": "" if examples else "hidden",
                "one_run": "" if several else "hidden",
                "examples_words": _examples_words(first),
            },
        ),
        inside_html(
            heading="Inside: what a model does at each step",
            words=_inside_words(values),
            run="run",
            choose_run=several,
            hidden=not inside,
        ),
    ]
    heading = _heading(runs) if several else f"{finding(first.results)}."
    parts = [
        f'<section id="finding"><h1>{escape(heading)}</h1>',
        f"<p>{escape(first.description)}</p>",
        f'<div class="runs {"many" if several else "one"}">',
        *(_run_html(run, at, several) for at, run in enumerate(runs)),
        "</div></section>",
        "<noscript><p>Curves, examples and insides need JavaScript; the tables do not.</p></noscript>",
        *sections,
        *(f'<p class="note">{escape(note)}</p>' for note in _notes(runs, several)),
        '<section id="numbers"><h2>All numbers</h2>',
        *(_numbers_html(run, several) for run in runs),
        "</section>",
    ]
    nav = [("finding", "Finding"), *([("examples", "Examples")] if examples else [])]
    nav += [*([("inside", "Inside")] if inside else []), ("numbers", "Numbers")]
    name = first.title if not several else first.results.task
    title = f"{name}: {heading}"
    return page(title=title, name=name, body="\n".join(parts), nav=nav, data={"runs": values})


def _heading(runs: Sequence[RunPage]) -> str:
    """Return which of several runs has the highest score; of different sizes none can be compared."""
    task = f"{len(runs)} runs of {runs[0].results.task}"
    if any(run.results.size != runs[0].results.size for run in runs):
        return f"{task} of different sizes"
    score = score_of(runs[0].results.task)
    value, label, name = (max if score.rises else min)(
        (value_of(model, f"test_{score.key}"), model.label, run.name)
        for run in runs
        for model in run.results.models.values()
    )
    which = "highest" if score.rises else "lowest"
    return f"{task}: the {which} test score is {score.in_words(value)}, of {label} in {name}"


def check_one_task(runs: Sequence[tuple[str, RunResult]]) -> None:
    """Check that runs can stand side by side; sizes, models and seeds may differ.

    Args:
        runs: name and results of each.

    Raises:
        ValueError: they are of different tasks.
    """
    first, one = runs[0]
    for name, results in runs:
        if results.task != one.task:
            raise ValueError(
                f"runs side by side must be of one task, got {one.task} in {first} and {results.task} in "
                f"{name}; write one report for each"
            )


def _values(run: RunPage, count: int) -> dict[str, Any]:
    """Return what the scripts read of a run, of `count` that share the room of a page."""
    inside = inside_values(run.looked, ROOM // count)
    examples = example_values(run.looked.answered, TEXT_ROOM // count)
    for name, one in inside["models"].items():
        one["words"] = attention_words(run.looked.watched[name], run.results.models[name].label)
    return {
        "name": run.name,
        "trivial": trivial_score(run.results),
        "models": model_values(run.results.models),
        "curves": curve_values(run.curves),
        "losses": loss_values(run.losses),
        "examples": examples,
        "inside": inside,
    }


def _run_html(run: RunPage, at: int, several: bool) -> str:
    results, selected = run.results, selected_only(run.results)
    score = score_of(results.task)
    loss = " selected" if score is not ACCURACY else ""
    harder = f"; harder: {results.harder}" if results.harder else ""
    seeds = f"mean of {results.seeds} seeds (lowest to highest)" if results.seeds > 1 else "one seed"
    caption = (
        f"<b>Test {score.name}</b>, {results.test_examples:,} examples{escape(harder)}; {seeds}. "
        f"Bold: the {'highest' if score.rises else 'lowest'} on test."
    )
    about = f'<p><b>{escape(finding(results))}.</b></p><p class="note">{escape(run.title)}</p>'
    head = f"<h2>{escape(run.name)}</h2>{about}" if several else ""
    known = [words for name, words in TRIVIAL.items() if results.trivial["test"].get(name) is not None]
    seconds = "seconds: of one training by the clock, its evaluations included"
    told = ("; ".join(known), seconds, TO_NINETY) if score is ACCURACY else (LOSSES, seconds)
    words = " ".join(map(_sentence, told))
    ranges = " Shaded: lowest to highest seed." if results.seeds > 1 else ""
    lost = "".join(f'<p class="note">{escape(told)}</p>' for told in divergences(results))
    return "\n".join(
        [
            f'<article class="run">{head}<div>',
            table_html(narrow(summary_table(selected)), caption, spare=("examples",)),
            f'<p class="note">{escape(words)}</p>{lost}</div>',
            curves_html(
                at,
                f"Dashed: the trivial score.{ranges}",
                '<option value="accuracy">validation accuracy</option>'
                f'<option value="validation"{loss}>validation loss (nats, log scale)</option>'
                '<option value="training">training loss (nats, log scale)</option>',
            ),
            "</article>",
        ]
    )


def narrow(table: Table) -> Table:
    """Return a summary with the columns that a first look needs: what a model costs stands further down.

    Example:
        >>> wide = Table(("model", "test %", "harder %", "parameters", "seconds", "examples", "to 90 %"), [])
        >>> narrow(wide).columns
        ('model', 'test %', 'harder %', 'seconds', 'examples', 'to 90 %')
    """
    kept = [
        at
        for at, name in enumerate(table.columns)
        if len(table.columns) <= MOST_COLUMNS or name != "parameters"
    ]
    rows = [(bold, [cells[at] for at in kept]) for bold, cells in table.rows]
    return Table(tuple(table.columns[at] for at in kept), rows)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _notes(runs: Sequence[RunPage], several: bool) -> Iterator[str]:
    for run in runs:
        for note in run.looked.notes:
            yield f"{run.name}: {note}" if several else note


def _examples_words(run: RunPage) -> str:
    seed = f", as the training with seed {run.results.seed} left them" if run.results.seeds > 1 else ""
    shown = f"{len(run.looked.answered)} of the {run.results.test_examples:,} test examples"
    return f"{shown}, evenly spread, answered by the models{seed}. An answer is right if all of it is."


def _inside_words(values: Sequence[Mapping[str, Any]]) -> str:
    told = "The step slider moves everything below it; the arrow keys move the slider, the space bar plays."
    if any(one["inside"]["cut"] for one in values):
        first = max(one["inside"]["first"] for one in values)
        told += " Not all recorded steps fit on the page: "
        told += f"it shows the last ones, from step {first + 1}." if first else "it shows fewer examples."
    return told


def _numbers_html(run: RunPage, several: bool) -> str:
    results, selected = run.results, selected_only(run.results)
    chosen = any(len(model.trainings) > len(model.selected) for model in results.models.values())
    every = (regimes_table(results) if results.seeds > 1 else score_table(results)) if chosen else None
    tables = (
        ("Accuracy by kind of question", kinds_table(results)),
        ("Every training regime; in bold the best of its model on validation", every),
        ("Every training", seeds_table(results)),
        ("What a model costs", cost_table(selected)),
        ("Larger sizes than in training", generalisation_table(results)),
        ("Longer sequences than in training", longer_table(selected)),
        ("Longer words: the last product right, all of them right", long_words_table(selected)),
        ("What the memories are like", memory_table(run.memories) if run.memories else None),
    )
    folded = [
        f"<details{' open' if at == 0 else ''}><summary>{heading}</summary>{table_html(table)}</details>"
        for at, (heading, table) in enumerate((h, t) for h, t in tables if t is not None)
    ]
    clock = results.wall_seconds
    wall = f"<p>All trainings and their tests: {clock:,.0f} s by the clock. {OVERLAP}</p>" if clock else ""
    raw = escape(json.dumps(to_json(results), indent=1))
    parts = [
        f"<h3>{escape(run.name)}</h3>" if several else "",
        *folded,
        wall,
        "<h3>Make it again</h3>",
        again_html(run.config),
        f"<details><summary>Raw numbers: results.json</summary><pre>{raw}</pre></details>",
    ]
    return "\n".join(parts)
