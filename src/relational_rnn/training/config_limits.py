"""What the fields of a run's configuration can be: the choices, and the largest values."""

from __future__ import annotations

from typing import Any, Final

from relational_rnn.config.checks import shortened

FRAMEWORKS: Final = ("numpy", "torch")
DEVICES: Final = ("cpu", "cuda")
OPTIMISERS: Final = ("adam", "soap")
COMPUTE_DTYPES: Final = ("float32", "bfloat16")
KEEPS: Final = ("best", "last")
MATCHES: Final = ("parameters", "state", "nothing")

PORT_FAULTS: Final = ("none", "tied-mlp", "final-relu", "joint-norm", "double-softmax", "all")
"""What the public PyTorch ports do otherwise than the authors' code: see `nn.variant`; and the loss of their
script takes the softmax of a softmax."""

LAYER_NORM_PLACEMENTS: Final = ("authors", "post", "pre", "qkv")
"""Where the core's layer norms can be."""

MOST_OF: Final = {
    "mem_slots": 4_096,
    "head_size": 16_384,
    "num_heads": 16_384,
    "head_units": 16_384,
    "num_blocks": 1_000,
    "attention_mlp_layers": 100,
    "head_layers": 100,
    "batch_size": 1_000_000,
    "seeds": 10_000,
    "threads": 1_024,
    "workers": 1_024,
}
"""The largest values of some fields; head_size * num_heads has that of head_size. Other sizes have that of
`check_size`. They are far beyond any that was ever trained: who asks for more has mistyped it."""

WORDS: Final = {"models": "lstm", "overrides": "lstm.learning_rate=1e-3", "start": "items=2"}
"""Fields that hold texts, with one of them."""


def check_words(name: str, value: Any) -> None:
    """Check that a field is a tuple of texts.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{name} must hold texts such as {WORDS[name]!r}, got {shortened(value)}")
