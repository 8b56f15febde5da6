"""A trainable head on a recurrent core."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_bool, check_choice, check_shape, check_size, tells_names
from relational_rnn.config.core import HEAD_ACTIVATIONS
from relational_rnn.reference.arrays import Array, as_floats, make_generator
from relational_rnn.reference.initialise import xavier_uniform
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.memory import RelationalMemory
from relational_rnn.reference.mlp import MLPCache, mlp_backward, mlp_forward
from relational_rnn.reference.relational_rnn import RelationalRNN


class Classifier:
    """A core over a sequence and, on its outputs, a linear layer or an MLP that scores the classes.

    `scores = W_L f(... f(W_1 output + b_1) ...) + b_L`, the same head at every step.

    Args:
        core: `LSTM`, `RelationalRNN` or `RelationalMemory`; its dtype is the head's too.
        classes: C.
        hidden_sizes: features of the head's inner layers; none for a linear head.
        head_activation: f, "relu" or "gelu".
        seed: integer or generator that the head's weights are drawn from (Xavier uniform; biases start at 0).

    Attributes:
        params: the core's under `core.<name>` and the head's `head.<layer>.weight` and `head.<layer>.bias`;
            change the arrays in place.
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: `core` is none of the three, or a size that is no integer.
        ValueError: a size below 1, or an unknown activation.

    Example:
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2)
        >>> model = Classifier(core, classes=6, hidden_sizes=(10,))
        >>> scores = model.forward(np.zeros((7, 4, 5)), return_sequences=False)
        >>> scores.shape, model.backward(np.ones_like(scores)).shape, model.grads["head.1.weight"].shape
        ((7, 6), (7, 4, 5), (6, 10))
    """

    @tells_names
    def __init__(
        self,
        core: LSTM | RelationalRNN | RelationalMemory,
        classes: int,
        hidden_sizes: Sequence[int] = (),
        *,
        head_activation: str = "relu",
        seed: int | np.random.Generator = 0,
    ) -> None:
        if not isinstance(core, LSTM | RelationalRNN | RelationalMemory):
            raise TypeError(
                f"core must be an LSTM, a RelationalRNN or a RelationalMemory, got {type(core).__name__}"
            )
        if not isinstance(hidden_sizes, Sequence):
            raise TypeError(f"hidden_sizes must be a sequence such as (16,), got {hidden_sizes!r}")
        self.core = core
        self.dtype = core.dtype
        self.input_size = core.input_size
        self.output_size = check_size("classes", classes)
        self.head_activation = check_choice("head_activation", head_activation, HEAD_ACTIVATIONS)
        sizes = [core.output_size, *(check_size("hidden_sizes", size) for size in hidden_sizes), classes]
        generator = make_generator(seed)
        self._layers = len(sizes) - 1
        self._head: dict[str, Array] = {}
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            weight = xavier_uniform(generator, outputs, inputs)
            self._head[f"head.{layer}.weight"] = weight.astype(self.dtype)
            self._head[f"head.{layer}.bias"] = np.zeros(outputs, self.dtype)
        self._head_grads: dict[str, Array] = {}
        self._cache: tuple[MLPCache, tuple[int, ...], bool] | None = None

    @property
    def params(self) -> dict[str, Array]:
        """The core's and the head's parameters by name."""
        return {f"core.{name}": value for name, value in self.core.params.items()} | self._head

    @property
    def grads(self) -> dict[str, Array]:
        """The gradients of the last `backward` by the same names."""
        return {f"core.{name}": value for name, value in self.core.grads.items()} | self._head_grads

    def forward(self, sequence: npt.ArrayLike, return_sequences: bool = True) -> Array:
        """Score the classes.

        Args:
            sequence: what the core takes: (B, T, F) floats, for a matrix input (B, T, R, F).
            return_sequences: scores of all steps; False for the last step's alone.

        Returns:
            The scores (B, T, C), or the last ones (B, C).

        Raises:
            TypeError: a sequence that holds no floats.
            ValueError: wrong shape, or an empty batch or sequence.
        """
        check_bool("return_sequences", return_sequences)
        result = self.core.forward(sequence)
        outputs = result[0] if isinstance(result, tuple) else result  # (B, T, core's output_size)
        shape = outputs.shape
        if not return_sequences:
            outputs = outputs[:, -1]
        scores, cache = self._through_head(outputs)
        self._cache = cache, shape, return_sequences
        return scores

    def score(self, outputs: npt.ArrayLike) -> Array:
        """Score outputs of the core, as in streaming: `forward` is the core and then this.

        Args:
            outputs: (..., D) floats, D features of the core's output.

        Returns:
            The scores (..., C). Nothing is kept for `backward`.

        Raises:
            TypeError: outputs that hold no floats.
            ValueError: another number of features.

        Example:
            >>> model = Classifier(RelationalMemory(input_size=5, mem_slots=3, head_size=4), classes=6)
            >>> memory = None
            >>> for step in np.zeros((4, 1, 1, 5)):  # four steps of one sequence
            ...     output, memory = model.core.forward(step, memory)
            >>> model.score(output).shape
            (1, 1, 6)
        """
        found, wanted = as_floats("outputs", outputs, self.dtype), self.core.output_size
        if found.shape[-1:] != (wanted,):
            raise ValueError(f"outputs must have {wanted} features, got shape {found.shape}")
        return self._through_head(found)[0]

    def _through_head(self, outputs: Array) -> tuple[Array, MLPCache]:
        weights, biases = (
            [self._head[f"head.{layer}.{kind}"] for layer in range(self._layers)]
            for kind in ("weight", "bias")
        )
        return mlp_forward(outputs, weights, biases, self.head_activation)

    def backward(self, d_scores: npt.ArrayLike) -> Array:
        """Carry a gradient back through the last `forward`, through time, and overwrite `grads`.

        Args:
            d_scores: gradient of the loss with respect to what `forward` returned.

        Returns:
            The gradient of the sequence, in its shape.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: `d_scores` holds no floats.
            ValueError: `d_scores` has another shape than the scores.
        """
        if self._cache is None:
            raise RuntimeError("Classifier.backward needs a forward before it")
        cache, shape, returned_sequences = self._cache
        d_y = as_floats("d_scores", d_scores, self.dtype)
        axes = {"B": shape[0], "T": shape[1], "C": self.output_size}
        if not returned_sequences:
            del axes["T"]
        check_shape("d_scores", d_y.shape, tuple(axes), **axes)
        d_read, of_layers = mlp_backward(d_y, cache)
        for layer, (d_weight, d_bias) in enumerate(of_layers):
            self._head_grads[f"head.{layer}.weight"] = d_weight
            self._head_grads[f"head.{layer}.bias"] = d_bias
        d_outputs = d_read
        if not returned_sequences:
            d_outputs = np.zeros(shape, self.dtype)
            d_outputs[:, -1] = d_read
        return self.core.backward(d_outputs)[0]
