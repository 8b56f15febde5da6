"""`relational-rnn playground [RUN]`: write a page in which a trained RMC answers, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from relational_rnn.cli.arguments import NUMBERS

SHIPPED = ("pretrained:nth-farthest-plane", "pretrained:group-word-swaps")
"""What the page shows unless a run is named: a tab each."""


@dataclass(frozen=True, kw_only=True)
class Playground:
    """Write one page, without network, in which an RMC finds the Nth farthest point or follows swaps."""

    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[RUN]")] = None
    """Folder of a run with an RMC, of nth-farthest with 2 dimensions or of group-word with swaps, one weights
    file (.safetensors) of it, or weights of the package; without it, the package's own, one of each."""
    seed: int | None = None
    """Of a run with several trainings: the seed of the one that is shown; None for the best."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("playground.html")
    """Where the page goes; an older one is replaced."""
    open: tyro.conf.FlagCreatePairsOff[bool] = False
    """Open it in the browser."""


def main(argv: Sequence[str]) -> int:
    """Write the page; return the exit code."""
    options = tyro.cli(Playground, prog="relational-rnn playground", args=list(argv), registry=NUMBERS)

    from relational_rnn.analysis.playground import scene_at, write_page
    from relational_rnn.training.run_folder import find_output
    from relational_rnn.training.weights import weights_of

    target = find_output(options.out)  # raises before the work
    runs = SHIPPED if options.run is None else (options.run,)
    scenes = [scene_at(weights_of(run, "rmc", options.seed)) for run in runs]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_page(options.out, scenes)
    for scene in scenes:
        score = scene["score"]
        print(
            f"Written: {options.out}, with {scene['name']}: accuracy {score['accuracy']:.2%} on "
            f"{score['examples']:,} fresh examples, trivial score {score['trivial']:.2%}"
        )
    if options.open:
        import webbrowser

        webbrowser.open(target.as_uri())
    return 0
