"""`relational-rnn evaluate RUN`: score the models of a run on fresh or given examples."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score the models of a run on fresh examples of its task, or on the examples of a file."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or one weights file (.safetensors) of it."""
    examples: int = 10_000
    """Fresh examples to score on."""
    seed: int = 1
    """Seed of the fresh examples. They are drawn apart from those of training and of the run's own test."""
    input: Annotated[Path | None, tyro.conf.arg(metavar="FILE.npz")] = None
    """Examples to score on instead: arrays `inputs` (B, T, F) and, if known, `targets` (B,), or for
    the reasoning tasks (B, T) with a `mask` (B, T)."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line: with --input also every prediction."""


def main(argv: Sequence[str]) -> int:
    """Score; return the exit code."""
    options = tyro.cli(Evaluate, prog="relational-rnn evaluate", args=list(argv))

    from relational_rnn.training.common.examples_file import find_weights
    from relational_rnn.training.numpy.models import is_numpy_model

    for weights in find_weights(options.run):
        framework = "numpy" if is_numpy_model(weights) else "torch"
        evaluate = importlib.import_module(f"relational_rnn.training.{framework}.evaluate").evaluate
        score = evaluate(weights, examples=options.examples, seed=options.seed, path=options.input)
        if options.json:
            print(json.dumps(score))
            continue
        known = score["accuracy"] is not None
        accuracy = (
            f"{score['accuracy']:.2%}, trivial score {score['trivial_accuracy']:.2%}" if known else "unknown"
        )
        harder = f"; harder sizes {score['harder_accuracy']:.2%}" if "harder_accuracy" in score else ""
        print(f"{score['label']}: {score['examples']:,} examples, accuracy {accuracy}{harder}")
        if options.input is not None and not known:
            rows = [row if isinstance(row, list) else [row] for row in score["predictions"]]
            told = [" ".join(map(str, row)) for row in rows]
            print("predictions: " + ("; " if len(rows[0]) > 1 else " ").join(told))
    return 0
