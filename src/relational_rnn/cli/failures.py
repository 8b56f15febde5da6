"""`relational-rnn failures RUN [RUN...]`: the examples that models get wrong, and where only one is right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from relational_rnn.cli.arguments import NUMBERS
from relational_rnn.config.checks import check_size

if TYPE_CHECKING:
    from relational_rnn.analysis import Table
    from relational_rnn.tasks import TaskEntry

DASH = "\N{EN DASH}"


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Let models answer the same fresh examples; show which ones each gets wrong or alone gets right."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folders of runs, or weights files (.safetensors), all of one task of one size."""
    examples: int = 1_000
    """Fresh examples to answer."""
    seed: int = 1
    """Seed of the fresh examples."""
    show: int = 3
    """Most examples to show of each kind; the file has all."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Where all of it goes, as JSON; if not given, failures.json in the folder of the first RUN."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead: the models, then every example that somebody gets wrong."""


def main(argv: Sequence[str]) -> int:
    """Answer, print and write; return the exit code."""
    options = tyro.cli(Failures, prog="relational-rnn failures", args=list(argv), registry=NUMBERS)
    if not options.runs:
        raise ValueError("which run? relational-rnn failures RUN [RUN...]")
    show = check_size("show", options.show, minimum=0)
    first = options.runs[0]

    from relational_rnn.experiments.failures import Answering, find_failures
    from relational_rnn.training.examples_file import find_weights
    from relational_rnn.training.files import write_json
    from relational_rnn.training.run_folder import find_output
    from relational_rnn.training.weights import load_weights

    out = options.out or (first if first.is_dir() else first.parent) / "failures.json"
    target = find_output(out)  # raises before the models have answered
    weights: dict[Path, Path] = {}  # what is named twice counts once
    for run in options.runs:
        for path in find_weights(run):
            weights.setdefault(path.resolve(), run)
    everyone = [Answering(str(run), load_weights(path)) for path, run in weights.items()]
    found = find_failures(everyone, examples=options.examples, seed=options.seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, found)
    if options.json:
        for line in (*found["models"], *found["failures"]):
            print(json.dumps(line))
        return 0
    print_failures(found, show)
    print(f"Written: {out}")
    return 0


def print_failures(found: dict[str, Any], show: int) -> None:
    """Print the accuracies, then up to `show` examples that each model gets wrong or alone gets right."""
    from relational_rnn.analysis.titles import in_words
    from relational_rnn.cli.run import make_console, print_table
    from relational_rnn.tasks import find_task

    sizes = in_words(found["size"])
    print(f"{found['task']}: {sizes}; {found['examples']:,} fresh examples, seed {found['seed']}\n")
    print_table(
        make_console(),
        accuracy_table(found["models"]),
        title="An answer is right if all of it is.",
        caption="always, sometimes: in all, in some trainings; alone: in all of its, in none of the others'",
    )
    entry = find_task(found["task"])
    failures = {failure["example"]: failure for failure in found["failures"]}
    for model in found["models"]:
        wrong = [*model["always_wrong"], *model["sometimes_wrong"]]
        for what, numbers in (("is wrong", wrong), ("alone is right", model["alone_right"])):
            shown = numbers[:show]
            if shown:
                heading = f"{model['model']} {what} in {len(numbers):,} examples"
                heading += f", {len(shown)} of them here" if len(shown) < len(numbers) else ""
                print(f"\n{heading}\n{'=' * len(heading)}")
            for number in shown:
                print(f"\nExample {number}\n{example_text(failures[number], entry)}")
    print()


def accuracy_table(models: Sequence[dict[str, Any]]) -> Table:
    """Return one row a model; the most accurate in bold."""
    from relational_rnn.analysis import Table

    best = max(model["accuracy"] for model in models)
    rows = []
    for model in models:
        values = [100 * training["accuracy"] for training in model["trainings"]]
        several = f" ({min(values):.1f}{DASH}{max(values):.1f})" if len(values) > 1 else ""
        counts = (len(model[kind]) for kind in ("always_wrong", "sometimes_wrong", "alone_right"))
        cells = [model["model"], f"{100 * model['accuracy']:.1f}{several}", *(f"{n:,}" for n in counts)]
        rows.append((model["accuracy"] == best, cells))
    return Table(("model", "right %", "always wrong", "sometimes wrong", "alone right"), rows)


def example_text(failure: dict[str, Any], entry: TaskEntry) -> str:
    """Return an example as a person reads it, and below it what each model said, the most frequent first.

    Args:
        failure: one of `failures` of `find_failures`.
        entry: of the task.
    """
    from relational_rnn.training.answers import answer_text

    record = failure["record"]

    def words(answer: Any) -> str:
        return "right" if answer == record["answer"] else answer_text(entry, record, answer)

    lines = []
    for label, answers in failure["answers"].items():
        counts = Counter(map(words, answers)).most_common()
        differ = len(counts) > 1
        said = [f"{told} ({count} of {len(answers)})" if differ else told for told, count in counts]
        lines.append(f"  {label}: {'; '.join(said)}")
    return "\n".join([entry.as_text(record), *lines])
