"""`relational-rnn generate RUN`: a trained language model writes, and goes on from where it was."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from relational_rnn.cli.arguments import NUMBERS


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Let a trained language model write after a prompt, token by token."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run of language, or one weights file (.safetensors) of it."""
    model: str | None = None
    """Which model of the run; not needed if it has one."""
    prompt: str = ""
    """What the text begins with; without it a line begins."""
    max_tokens: int = 200
    """How many tokens to write."""
    temperature: float = 1.0
    """Below 1 likely tokens become likelier, above 1 less so."""
    top_k: int | None = None
    """Draw from so many of the likeliest tokens; 1 takes the likeliest."""
    top_p: float = 1.0
    """Draw from the fewest likeliest tokens that have this share of the probability."""
    seed: int | None = None
    """Of the draws; if not given, 0, or where the state was."""
    state: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Go on from this file, if it is there, and leave in it where the text ends (.safetensors)."""


def main(argv: Sequence[str]) -> int:
    """Write; return the exit code."""
    options = tyro.cli(Generate, prog="relational-rnn generate", args=list(argv), registry=NUMBERS)

    from relational_rnn.training.run_folder import find_output
    from relational_rnn.training.weights import find_trained

    if options.state is not None:
        find_output(options.state)  # raises before there is a text to lose
    pieces = find_trained(options.run, options.model).stream(
        options.prompt,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        seed=options.seed,
        state=options.state,
    )
    for piece in itertools.chain([options.prompt], pieces):
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
    return 0
