"""`relational-rnn evaluate RUN`: score the models of a run on fresh or given examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score the models of a run on fresh examples of the full task, or on the examples of a file."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or one weights file (.safetensors) of it."""
    examples: int = 10_000
    """Fresh examples to score on."""
    seed: int = 1
    """Seed of the fresh examples. They are drawn apart from those of training and of the run's own test."""
    input: Annotated[Path | None, tyro.conf.arg(metavar="FILE.npz")] = None
    """Examples to score on instead: arrays `inputs` (B, T, F) and, if known, `targets` (B,)."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line: with --input also every prediction."""


def main(argv: Sequence[str]) -> int:
    """Score; return the exit code."""
    options = tyro.cli(Evaluate, prog="relational-rnn evaluate", args=list(argv))

    from relational_rnn.training.torch.evaluate import evaluate, find_weights

    for weights in find_weights(options.run):
        score = evaluate(weights, examples=options.examples, seed=options.seed, path=options.input)
        if options.json:
            print(json.dumps(score))
            continue
        known = score["accuracy"] is not None
        accuracy = (
            f"{score['accuracy']:.2%}, trivial score {score['trivial_accuracy']:.2%}" if known else "unknown"
        )
        print(f"{score['label']}: {score['examples']:,} examples, accuracy {accuracy}")
        if options.input is not None and not known:
            print("predictions: " + " ".join(map(str, score["predictions"])))
    return 0
