"""`relational-rnn evaluate RUN`: score the models of a run on fresh or given examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from relational_rnn.cli.arguments import NUMBERS


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score the models of a run on fresh examples of its task, or on the examples of a file."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, one weights file (.safetensors) of it, or weights of the package, as in
    pretrained:nth-farthest-8x16."""
    examples: int = 10_000
    """Fresh examples to score on; bAbI and texts, which come from files, have their test instead."""
    seed: int = 1
    """Seed of the fresh examples. They are drawn apart from those of training and of the run's own test."""
    input: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Examples to score on instead: for models of language a text; else an .npz file with arrays `inputs`
    (B, T, F) and, if known, `targets` (B,), or for the reasoning tasks (B, T) with a `mask` (B, T)."""
    distractors: int = 0
    """Nth farthest: steps with a vector but no label to put among those of fresh examples."""
    repeats: int = 0
    """Nth farthest: objects to show once more among the steps of fresh examples."""
    compute_dtype: str | None = None
    """Dtype of the RMC's matrix products, "float32" or "bfloat16"; else as in training."""
    dynamic: Annotated[float | None, tyro.conf.arg(metavar="LEARNING_RATE")] = None
    """Models of language: let the weights follow the gradient of each window after it was scored (dynamic
    evaluation); the run's own weights stay as they are."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line: with --input also every prediction."""


def main(argv: Sequence[str]) -> int:
    """Score; return the exit code."""
    options = tyro.cli(Evaluate, prog="relational-rnn evaluate", args=list(argv), registry=NUMBERS)
    if options.input is not None and (options.distractors or options.repeats):
        raise ValueError("--distractors and --repeats change fresh examples; leave --input out, or them")

    from relational_rnn.training.examples_file import find_weights

    for weights in find_weights(options.run):
        score = evaluate(weights, options)
        if options.json:
            print(json.dumps(score))
            continue
        if "perplexity" in score:
            print(text_in_words(score))
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


def text_in_words(score: dict[str, Any]) -> str:
    """Return the scores of a language model in a line."""
    told = [
        f"{what} {score[f'{part}perplexity']:,.2f} ({score[f'{part}bits_per_byte']:.3f} bits per byte)"
        for what, part in (("perplexity", ""), ("with its memory cut", "harder_"))
        if f"{part}perplexity" in score
    ]
    how = f", dynamic evaluation with learning rate {score['dynamic']:g}" if "dynamic" in score else ""
    line = f"{score['label']}{how}: {'; '.join(told)}"
    unigram = score.get("trivial_perplexity", {}).get("unigram")
    return line if unigram is None else f"{line}; the trivial score is {unigram:,.2f}"


def evaluate(weights: Path, options: Evaluate) -> dict[str, Any]:
    """Score the model of a weights file."""
    from relational_rnn.training.evaluate import evaluate as score

    return score(
        weights,
        examples=options.examples,
        seed=options.seed,
        path=options.input,
        compute_dtype=options.compute_dtype,
        dynamic=options.dynamic,
        distractors=options.distractors,
        repeats=options.repeats,
    )
