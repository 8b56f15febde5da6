"""A core with a head on its last output: what the classification tasks train."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.nn.utils.rnn import PackedSequence

from relational_rnn.config.checks import check_choice, check_size, tells_names
from relational_rnn.config.core import HEAD_ACTIVATIONS
from relational_rnn.nn.factory import FactoryKwargs
from relational_rnn.nn.initialise import initialise_linear_

ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {"relu": nn.ReLU, "gelu": nn.GELU}
"""By the names of `config.core.HEAD_ACTIVATIONS`."""


def hidden_layers(
    width: int, count: int, units: int, activation: str, factory_kwargs: FactoryKwargs
) -> tuple[list[nn.Module], int]:
    """Return the hidden layers of a head, without values, and the features of the last.

    Args:
        width: features that the first reads.
        count: how many; may be 0.
        units: features of each.
        activation: after each, "relu" or "gelu".
        factory_kwargs: device and dtype.

    Raises:
        TypeError, ValueError: a size too small, an unknown activation.
    """
    chosen = ACTIVATIONS[check_choice("head_activation", activation, HEAD_ACTIVATIONS)]
    widths = [width] + [check_size("head_units", units)] * check_size("head_layers", count, minimum=0)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [skip_init(nn.Linear, inputs, outputs, **factory_kwargs), chosen()]
    return layers, widths[-1]


class SequenceClassifier(nn.Module):
    """Read a sequence with a core, then classify its last output with an MLP.

    Source: Santoro et al. 2018, appendix A.1: the head there has 4 layers of 256 with ReLU.

    Args:
        core: called as `core(inputs) -> (outputs, state)` with `batch_first=True`; has `output_size`.
        classes: C, number of classes.
        head_layers: hidden layers of the head; 0 makes it linear.
        head_units: features of each of them.
        head_activation: "relu" or "gelu", after each of them.
        generator: where the head's initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer, or a core without `output_size`, as torch's own layers are.
        ValueError: a size too small, an unknown activation, or a core that is not batch first.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> SequenceClassifier(LSTM(5, 6, batch_first=True), classes=3)(torch.zeros(7, 11, 5)).shape
        torch.Size([7, 3])
    """

    @tells_names
    def __init__(
        self,
        core: nn.Module,
        classes: int,
        head_layers: int = 2,
        head_units: int = 256,
        *,
        head_activation: str = "relu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not getattr(core, "batch_first", False):
            raise ValueError("core must be built with batch_first=True")
        if not hasattr(core, "output_size"):
            raise TypeError(
                f"core must have output_size, the features of an output; {type(core).__name__} has none "
                "(relational_rnn.nn has RelationalMemory, LSTM, GRU and others; or set core.output_size)"
            )
        self.core = core
        like = next(core.parameters())
        factory_kwargs: FactoryKwargs = {"device": like.device, "dtype": like.dtype}
        layers, width = hidden_layers(
            int(core.output_size),  # type: ignore[arg-type]
            head_layers,
            head_units,
            head_activation,
            factory_kwargs,
        )
        self.head_activation = head_activation
        layers.append(skip_init(nn.Linear, width, check_size("classes", classes), **factory_kwargs))
        self.head = nn.Sequential(*layers)
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                initialise_linear_(layer, generator)

    def forward(self, inputs: Tensor, state: object = None, *, query_mask: Tensor | None = None) -> Tensor:
        """Classify (B, T, F) sequences, (B, T, R, F) for a core with a matrix input.

        Args:
            inputs: the sequences.
            state: of the core before the first step.
            query_mask: (B, T) bool, the steps to classify, K of them; None for every sequence's last.

        Returns:
            Scores before the softmax (`torch.nn.functional.cross_entropy` applies it), (B, C) or, row after
            row, (K, C).

        Raises:
            TypeError: packed sequences, or a mask that holds no bool.
            ValueError: no batch of sequences of one length, a mask of another shape or true nowhere.
        """
        if isinstance(inputs, PackedSequence):
            raise TypeError(
                "inputs must be a tensor (B, T, F), not a PackedSequence: pad the sequences at their end and "
                "let query_mask be true at each one's last step"
            )
        outputs, _ = self.core(inputs, state)
        if outputs.ndim != 3:
            raise ValueError("inputs must be a batch of sequences of one length, (B, T, F) or (B, T, R, F)")
        if query_mask is not None:
            _check_query_mask(query_mask, outputs)
        # Cores compute step by step: cut out of the steps, the last one's gradient needs no other order.
        asked = outputs.transpose(0, 1)[-1] if query_mask is None else outputs[query_mask]
        if not len(asked) and len(outputs):
            raise ValueError(
                "query_mask is true at no step: nothing to classify, and a mean loss would be NaN"
            )
        return self.head(asked)  # type: ignore[no-any-return]


def _check_query_mask(mask: Tensor, outputs: Tensor) -> None:
    """Check what torch would take for the numbers of rows, or of sequences."""
    if mask.dtype != torch.bool:
        raise TypeError(f"query_mask must be torch.bool, got {mask.dtype}")
    if mask.shape != outputs.shape[:2]:
        wanted = tuple(outputs.shape[:2])
        raise ValueError(f"query_mask must have shape (B, T) = {wanted}, got {tuple(mask.shape)}")
