"""`relational-rnn playground [RUN]`: write a page in which a trained RMC answers, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from relational_rnn.cli.arguments import NUMBERS

SHIPPED = "pretrained:nth-farthest-plane"
"""What the page shows unless a run is named."""


@dataclass(frozen=True, kw_only=True)
class Playground:
    """Write one page, which needs no network, in which a trained RMC answers Nth farthest in the plane."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = Path(SHIPPED)
    """Folder of a run of nth-farthest with an RMC and 2 dimensions, one weights file (.safetensors) of it, or
    weights of the package."""
    seed: int | None = None
    """Of a run with several trainings: the seed of the one that is shown; None for the best."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("playground.html")
    """Where the page goes; an older one is replaced."""
    open: tyro.conf.FlagCreatePairsOff[bool] = False
    """Open it in the browser."""


def main(argv: Sequence[str]) -> int:
    """Write the page; return the exit code."""
    options = tyro.cli(Playground, prog="relational-rnn playground", args=list(argv), registry=NUMBERS)

    from relational_rnn.analysis.playground import plane_scene, write_page
    from relational_rnn.training.run_folder import find_output
    from relational_rnn.training.weights import weights_of

    target = find_output(options.out)  # raises before the work
    scene = plane_scene(weights_of(options.run, "rmc", options.seed))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_page(options.out, [scene])
    score = scene["score"]
    print(
        f"Written: {options.out}, with {scene['name']}: accuracy {score['accuracy']:.2%} on "
        f"{score['examples']:,} fresh examples, trivial score {score['trivial']:.2%}"
    )
    if options.open:
        import webbrowser

        webbrowser.open(target.as_uri())
    return 0
