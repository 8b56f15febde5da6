"""Weights that come with the package; a model card lies beside each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import relational_rnn
from relational_rnn.config.checks import did_you_mean

PREFIX: Final = "pretrained:"
"""Begins the name of such weights on the command line."""

FOLDER: Final = Path(relational_rnn.__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """Return the names of all weights.

    Example:
        >>> pretrained_names()
        ['group-word-swaps', 'nth-farthest-8x16', 'nth-farthest-plane']
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def find_pretrained(name: str) -> Path:
    """Return the weights file of a name; the model card has the ending .md.

    Raises:
        ValueError: no weights have this name.

    Example:
        >>> find_pretrained("nth-farthest-8x16").name
        'nth-farthest-8x16.safetensors'
    """
    names = pretrained_names()
    if name not in names:
        near = did_you_mean(name, names)
        raise ValueError(f"no pretrained weights are called {name!r}{near}; there are {', '.join(names)}")
    return FOLDER / f"{name}.safetensors"
