"""A core between an embedding of tokens and a softmax over the next one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_number, check_size, shortened, with_type
from relational_rnn.kernels import without_autocast
from relational_rnn.nn.classifier import hidden_layers
from relational_rnn.nn.factory import FactoryKwargs
from relational_rnn.nn.initialise import initialise_linear_
from relational_rnn.nn.padding import check_mask, run_unpadded
from relational_rnn.nn.relational_memory import RelationalMemory

START = 0.1
"""Embeddings are drawn uniformly from -START to START."""


class Masks(NamedTuple):
    """What a call keeps of the embeddings' and of the core's features; None keeps all."""

    input: Tensor | None
    """(B, 1, E), 0 or 1 / the share that is kept."""
    output: Tensor | None
    """(B, 1, features)."""

    def of(self, rows: slice) -> Masks:
        """Return those of some streams."""
        return Masks(*(None if mask is None else mask[rows] for mask in self))


class LanguageModel(nn.Module):
    """Predict each next token of a text: embed, run the core, score the vocabulary.

        x_t = dropout(E[token_t]);  o_t, memory = core(x_t, memory);  p(next) = softmax(W dropout(o_t) + b)

    Tied, W is E (Press & Wolf 2017), behind a linear layer if the core's outputs have another size. The
    adaptive softmax (Grave et al. 2017) is `torch.nn.AdaptiveLogSoftmaxWithLoss`; its probabilities sum to 1,
    so its perplexity is exact. A dropout mask is the same at all steps of a call and never touches the
    memory (Gal & Ghahramani 2016).

    Source: Santoro et al. 2018, appendix A.4: embeddings of 512 with dropout 0.5, tied to the softmax.

    Args:
        core: called as `core(inputs, memory) -> (outputs, memory)` with `batch_first=True`; has
            `output_size`, and reads `embedding_size` features.
        vocabulary: V, different tokens.
        embedding_size: E, features of a token.
        tied: the softmax's weights are the embeddings.
        cut_offs: of the adaptive softmax, rising and below V; none for the full one.
        input_dropout: share of the embeddings' features that training drops.
        output_dropout: of the outputs' features.
        head_layers, head_units, head_activation: hidden layers before the softmax, see `SequenceClassifier`.
        generator: where initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size too small, a share outside 0 to 1, cut-offs that do not rise or reach V, a core
            that is not batch first, or both tied and cut.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> model = LanguageModel(LSTM(5, 6, batch_first=True), vocabulary=9, embedding_size=5)
        >>> features, memory = model(torch.tensor([[1, 2, 3]]))
        >>> model.log_probabilities(features).shape
        torch.Size([1, 3, 9])
    """

    def __init__(
        self,
        core: nn.Module,
        vocabulary: int,
        embedding_size: int,
        *,
        tied: bool = False,
        cut_offs: Sequence[int] = (),
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        head_layers: int = 0,
        head_units: int = 256,
        head_activation: str = "relu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not getattr(core, "batch_first", False):
            raise ValueError("core must be built with batch_first=True")
        if check_bool("tied", tied) and cut_offs:
            raise ValueError("tied embeddings need the full softmax: cut_offs must be empty")
        self.vocabulary = check_size("vocabulary", vocabulary)
        self.embedding_size = check_size("embedding_size", embedding_size)
        self.input_dropout = check_number("input_dropout", input_dropout, 0.0, 1.0)
        self.output_dropout = check_number("output_dropout", output_dropout, 0.0, 1.0)
        self.tied, self.cut_offs = tied, check_cut_offs(cut_offs, self.vocabulary)
        self.head_layers, self.head_units, self.head_activation = head_layers, head_units, head_activation
        like = next(core.parameters())
        place: FactoryKwargs = {"device": like.device, "dtype": like.dtype}
        self.embedding = skip_init(nn.Embedding, self.vocabulary, self.embedding_size, **place)
        nn.init.uniform_(self.embedding.weight, -START, START, generator=generator)
        self.core = core
        layers, width = hidden_layers(
            int(core.output_size),  # type: ignore[arg-type]
            head_layers,
            head_units,
            head_activation,
            place,
        )
        if tied and width != self.embedding_size:
            layers.append(skip_init(nn.Linear, width, self.embedding_size, **place))
        self.head = nn.Sequential(*layers)
        self.softmax: nn.Module | None = None
        self.bias: nn.Parameter | None = None
        if tied:
            self.bias = nn.Parameter(torch.zeros(self.vocabulary, **place))
        elif cut_offs:
            narrower = 4.0 if width >= 4 ** len(cut_offs) else 1.0  # none would be left of fewer features
            self.softmax = skip_init(
                nn.AdaptiveLogSoftmaxWithLoss,
                width,
                self.vocabulary,
                list(cut_offs),
                div_value=narrower,
                **place,
            )
        else:
            self.softmax = skip_init(nn.Linear, width, self.vocabulary, **place)
        for part in (self.head, self.softmax):
            for layer in () if part is None else part.modules():
                if isinstance(layer, nn.Linear):
                    initialise_linear_(layer, generator)

    def forward(
        self,
        tokens: Tensor,
        memory: Any = None,
        *,
        padding_mask: Tensor | None = None,
        dropout: torch.Generator | Masks | None = None,
    ) -> tuple[Tensor, Any]:
        """Run over tokens.

        Args:
            tokens: (B, T) int64.
            memory: of the core before the first; None for its start.
            padding_mask, dropout: as for `read`.

        Returns:
            What the next tokens are told from, (B, T, features), and the core's memory.

        Raises:
            TypeError, ValueError: see `embed` and `read`.
        """
        return self.read(self.embed(tokens), memory, padding_mask=padding_mask, dropout=dropout)

    def embed(self, tokens: Tensor, name: str = "tokens") -> Tensor:
        """Return the embeddings of tokens: (B, T) -> (B, T, E).

        Args:
            tokens: int64 or int32.
            name: of the tokens in messages.

        Raises:
            TypeError: no integers.
            ValueError: another shape, or none; on the processor also a token outside 0 to V - 1.
        """
        if not isinstance(tokens, Tensor) or tokens.dtype not in (torch.int64, torch.int32):
            got = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
            raise TypeError(f"{name} must be a tensor of torch.int64 or torch.int32, got {got}")
        if tokens.ndim != 2 or 0 in tokens.shape:
            raise ValueError(f"{name} must have shape (B, T), both at least 1, got {tuple(tokens.shape)}")
        if torch.compiler.is_compiling():
            return self.embedding(tokens)  # type: ignore[no-any-return]
        try:
            return self.embedding(tokens)  # type: ignore[no-any-return]
        except IndexError:  # which says neither what came nor what is allowed
            told = f"got {int(tokens.min())} to {int(tokens.max())}"
            raise ValueError(f"{name} must be from 0 to {self.vocabulary - 1}, {told}") from None

    def read(
        self,
        embedded: Tensor,
        memory: Any = None,
        *,
        padding_mask: Tensor | None = None,
        dropout: torch.Generator | Masks | None = None,
    ) -> tuple[Tensor, Any]:
        """Run over embedded tokens.

        Args:
            embedded: (B, T, E).
            memory: of the core before the first; None for its start.
            padding_mask: (B, T) bool, True where a step is padding, on any side: it leaves the memory, and
                with it the output, as it is (before a row's first token outputs are 0). An RMC has it.
            dropout: masks, or where they are drawn from; None means torch's own generator.

        Returns:
            What the next tokens are told from, (B, T, features), and the core's memory.

        Raises:
            TypeError: a mask that is not bool, or for another core.
            ValueError: another shape.
        """
        masks = dropout if isinstance(dropout, Masks) else self.draw_masks(embedded.shape[0], dropout)
        inputs = _masked(embedded, masks.input)
        if padding_mask is None:
            outputs, memory = self.core(inputs, memory)
        elif isinstance(self.core, RelationalMemory):
            batch, time, _ = inputs.shape
            check_mask("padding_mask", padding_mask, batch, time, inputs.device)
            start = self.core.initial_state(batch) if memory is None else memory
            outputs, memory = run_unpadded(self.core, inputs, start, padding_mask)
        else:
            raise TypeError(f"padding_mask is for a RelationalMemory, the core is {type(self.core).__name__}")
        return self.head(_masked(outputs, masks.output)), memory

    def draw_masks(self, batch: int, generator: torch.Generator | None = None) -> Masks:
        """Draw which features of B streams a call drops, the same ones at all its steps.

        Args:
            batch: B.
            generator: where they are drawn from; None means torch's own.
        """
        output = int(self.core.output_size)  # type: ignore[arg-type]
        sizes = ((self.embedding_size, self.input_dropout), (output, self.output_dropout))
        return Masks(*(self._mask(batch, size, share, generator) for size, share in sizes))

    def _mask(self, batch: int, size: int, share: float, generator: torch.Generator | None) -> Tensor | None:
        if not self.training or not share:
            return None
        mask: Tensor = self.embedding.weight.new_empty(batch, 1, size)
        return mask.bernoulli_(1 - share, generator=generator).div_(max(1 - share, 1e-9))

    def scores(self, features: Tensor) -> Tensor:
        """Return what the full softmax is taken of: (..., features) -> (..., V)."""
        if self.softmax is None:
            return F.linear(features, self.embedding.weight, self.bias)
        return self.softmax(features)  # type: ignore[no-any-return]

    def losses(self, features: Tensor, targets: Tensor) -> Tensor:
        """Return -log p of each target in nats: (K, features), (K,) -> (K,)."""
        if isinstance(self.softmax, nn.AdaptiveLogSoftmaxWithLoss):
            with without_autocast(features.device.type):  # under which torch's own mixes its dtypes up
                return -self.softmax(self._wide(features), targets).output  # type: ignore[no-any-return]
        return F.cross_entropy(self.scores(features), targets, reduction="none")

    def log_probabilities(self, features: Tensor) -> Tensor:
        """Return log p of every next token: (..., features) -> (..., V)."""
        if isinstance(self.softmax, nn.AdaptiveLogSoftmaxWithLoss):
            with without_autocast(features.device.type):
                flat = self.softmax.log_prob(self._wide(features).reshape(-1, features.shape[-1]))
            return flat.view(*features.shape[:-1], -1)
        return self.scores(features).log_softmax(-1)

    def judge(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of targets (K,), and which were the likeliest (K,), from features (K, F)."""
        if isinstance(self.softmax, nn.AdaptiveLogSoftmaxWithLoss):
            with without_autocast(features.device.type):
                return self.losses(features, targets), self.softmax.predict(self._wide(features)) == targets
        scores = self.scores(features)
        return F.cross_entropy(scores, targets, reduction="none"), scores.argmax(-1) == targets

    def _wide(self, features: Tensor) -> Tensor:
        return features.to(self.embedding.weight.dtype)


def check_cut_offs(cut_offs: object, vocabulary: int, name: str = "vocabulary") -> tuple[int, ...]:
    """Return the cut-offs of an adaptive softmax over so many tokens, or say what is wrong with them.

    Raises:
        TypeError: no integers.
        ValueError: they do not rise, or lie outside 1 to V - 1.

    Example:
        >>> check_cut_offs([20, 10], 50)
        Traceback (most recent call last):
        ValueError: cut_offs must rise, from 1 to 49 (vocabulary is 50), got [20, 10]
    """
    if not isinstance(cut_offs, (list, tuple)) or not all(isinstance(cut, Integral) for cut in cut_offs):
        raise TypeError(f"cut_offs must be a list or tuple of integers, got {with_type(cut_offs)}")
    if any(later <= earlier for earlier, later in pairwise((0, *cut_offs, vocabulary))):
        allowed = f"must rise, from 1 to {vocabulary - 1} ({name} is {vocabulary})"
        raise ValueError(f"cut_offs {allowed}, got {shortened(cut_offs)}")
    return tuple(int(cut) for cut in cut_offs)


def _masked(rows: Tensor, mask: Tensor | None) -> Tensor:
    return rows if mask is None else rows * mask
