"""Sizes and options of a language model as a configuration of `transformers`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

from transformers import PreTrainedConfig

from relational_rnn.config import CoreOptions, RelationalMemoryConfig
from relational_rnn.config.checks import OTHER_NAMES, check_bool, check_choice, check_number, check_size
from relational_rnn.config.core import HEAD_ACTIVATIONS
from relational_rnn.nn.language_model import check_cut_offs

NO_OPTIONS: Final = {
    "treat_input_as_matrix": "a token is one row",
    "input_rows": "a token is one row",
    "input_size": "the core reads embedding_size features",
    "batch_first": "tokens are (B, T)",
    "backend": "it is chosen where the model runs",
}
"""Of the core, which a language model's has not, and why."""
OTHERS: Final = OTHER_NAMES | {
    "vocabulary": "it is vocab_size here",
    "tied": "it is tie_word_embeddings here",
    "dropout": "there are input_dropout and output_dropout",
    "n_embd": "it is embedding_size here",
    "n_head": "it is num_heads here",
    "n_layer": "it is num_blocks here",
}
"""What others, or `nn.LanguageModel`, call a setting -> what it is here."""

OPTIONS: Final = tuple(name for name in CoreOptions.__annotations__ if name not in NO_OPTIONS)
"""Those that it has."""


class RelationalConfig(PreTrainedConfig):  # type: ignore[misc]  # untyped where transformers is absent
    """What a `RelationalLM` is: sizes, options of the core, of the embedding and of the softmax.

    Args:
        vocab_size: V, different tokens.
        embedding_size: E, features of a token (`hidden_size` for others).
        mem_slots, head_size, num_heads: of the core, see `nn.RelationalMemory`.
        tie_word_embeddings: the softmax's weights are the embeddings.
        cut_offs: of the adaptive softmax; none for the full one.
        input_dropout, output_dropout, head_layers, head_units, head_activation: see `nn.LanguageModel`.
        bos_token_id, eos_token_id, pad_token_id, use_cache: as everywhere in `transformers`.
        **kwargs: options of the core (`gate_style`, `num_blocks`, ...), and what every configuration takes.

    Raises:
        TypeError: an option of another type, or one that does not exist but nearly does.
        ValueError: an option out of range.

    Example:
        >>> config = RelationalConfig(vocab_size=50, embedding_size=8, head_size=4, num_heads=2, num_blocks=2)
        >>> config.num_blocks, config.gate_style
        (2, 'unit')
        >>> RelationalConfig(vocab_size=50, mem_slot=2)
        Traceback (most recent call last):
        TypeError: RelationalConfig has no mem_slot (did you mean mem_slots?)
    """

    model_type = "relational_rnn"
    keys_to_ignore_at_inference = ["state"]
    attribute_map = {  # what others call them
        "hidden_size": "embedding_size",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "num_blocks",
    }

    vocab_size: int = 256
    embedding_size: int = 128
    mem_slots: int = 1
    head_size: int = 64
    num_heads: int = 4
    tie_word_embeddings: bool = False
    cut_offs: list[int] | tuple[int, ...] = ()
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    head_layers: int = 0
    head_units: int = 256
    head_activation: str = "relu"
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    use_cache: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        """Check the core's sizes and options, and keep every option under its own name."""
        for name in NO_OPTIONS.keys() & kwargs.keys():
            raise TypeError(f"{type(self).__name__} has no {name}: {NO_OPTIONS[name]}")
        options = {name: kwargs.pop(name) for name in OPTIONS if name in kwargs}
        own = (*RelationalConfig.__annotations__, *OPTIONS)
        for name in kwargs:  # the rest passes: transformers keeps whatever it is given
            near = "".join(f"did you mean {one}?" for one in get_close_matches(name, own, 1, cutoff=0.85))
            if told := OTHERS.get(name, near):
                raise TypeError(f"{type(self).__name__} has no {name} ({told})")
        self._check_own()
        core = RelationalMemoryConfig(
            input_size=self.embedding_size,
            mem_slots=self.mem_slots,
            head_size=self.head_size,
            num_heads=self.num_heads,
            **options,
        )
        for name in OPTIONS:
            setattr(self, name, getattr(core, name))
        super().__post_init__(**kwargs)

    def _check_own(self) -> None:
        """Check what is not the core's, under the names that it has here."""
        check_size("vocab_size", self.vocab_size)
        check_size("embedding_size", self.embedding_size)
        check_number("input_dropout", self.input_dropout, 0.0, 1.0)
        check_number("output_dropout", self.output_dropout, 0.0, 1.0)
        cut_offs = check_cut_offs(self.cut_offs, self.vocab_size, "vocab_size")
        if check_bool("tie_word_embeddings", self.tie_word_embeddings) and cut_offs:
            raise ValueError(f"tie_word_embeddings need the full softmax: no cut_offs, got {cut_offs}")
        check_size("head_layers", self.head_layers, minimum=0)
        check_size("head_units", self.head_units)
        check_choice("head_activation", self.head_activation, HEAD_ACTIVATIONS)
