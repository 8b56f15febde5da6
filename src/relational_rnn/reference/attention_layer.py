"""Multi-head attention as a layer with projections."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_bool, check_shape, check_size
from relational_rnn.reference.arrays import (
    Array,
    as_floats,
    check_dtype,
    check_parameters,
    make_generator,
    shapes_of,
)
from relational_rnn.reference.attention import (
    AttentionCache,
    check_attention,
    check_heads,
    multi_head_attention_backward,
    multi_head_attention_forward,
)
from relational_rnn.reference.initialise import xavier_uniform
from relational_rnn.reference.linear import LinearCache, linear_backward, linear_forward


class MultiHeadAttention:
    """Multi-head attention with learned projections of queries, keys, values and of the result.

    `softmax((Q W_qᵀ + b_q)_h ((K W_kᵀ + b_k)_h)ᵀ / sqrt(D/H)) (V W_vᵀ + b_v)_h`, heads joined, then W_o, b_o.
    Source: Vaswani et al. 2017, section 3.2.2. The Relational Memory Core has no W_o.

    Args:
        d_model: D, features of queries, keys and values.
        num_heads: H; must divide D.
        dtype: float64 or float32.
        seed: integer or generator that the weights are drawn from (Xavier uniform); biases start at 0.

    Attributes:
        params: W_q, W_k, W_v, W_o (D, D), features out by features in, and b_q, b_k, b_v, b_o (D,).
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: a size that is no integer, another dtype.
        ValueError: a size below 1, or `num_heads` that does not divide `d_model`.

    Example:
        >>> attention = MultiHeadAttention(d_model=8, num_heads=2)
        >>> attention.forward(np.ones((3, 5, 8)), np.ones((3, 6, 8)), np.ones((3, 6, 8))).shape
        (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
    ) -> None:
        self.d_model, self.num_heads = check_size("d_model", d_model), check_size("num_heads", num_heads)
        check_heads(self.d_model, self.num_heads)
        self.dtype = check_dtype(dtype)
        generator = make_generator(seed)
        self.params: dict[str, Array] = {}
        for name in "qkvo":
            self.params[f"W_{name}"] = xavier_uniform(generator, d_model, d_model).astype(self.dtype)
            self.params[f"b_{name}"] = np.zeros(d_model, self.dtype)
        self._shapes = shapes_of(self.params)
        self.grads: dict[str, Array] = {}  # filled by `backward`
        self._cache: tuple[dict[str, LinearCache], AttentionCache] | None = None

    @overload
    def forward(
        self,
        Q: npt.ArrayLike,
        K: npt.ArrayLike,
        V: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        return_weights: Literal[False] = False,
    ) -> Array: ...

    @overload
    def forward(
        self,
        Q: npt.ArrayLike,
        K: npt.ArrayLike,
        V: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        *,
        return_weights: Literal[True],
    ) -> tuple[Array, Array]: ...

    def forward(
        self,
        Q: npt.ArrayLike,
        K: npt.ArrayLike,
        V: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        return_weights: bool = False,
    ) -> Array | tuple[Array, Array]:
        """Project, attend, join the heads, project: see the class for the equation.

        Args:
            Q: (B, Lq, D) floats, cast to the layer's dtype.
            K: (B, Lk, D).
            V: (B, Lk, D).
            mask: booleans, True where a query may attend to a key, broadcastable to (B, H, Lq, Lk). A query
                that may attend to nothing gets `b_o` alone.
            return_weights: also return the weights.

        Returns:
            (B, Lq, D), and with `return_weights` the weights (B, H, Lq, Lk).

        Raises:
            TypeError: Q, K or V hold no floats, or the mask no booleans.
            ValueError: shapes that do not fit together.
        """
        check_bool("return_weights", return_weights)
        inputs = {name: as_floats(name.upper(), x, self.dtype) for name, x in (("q", Q), ("k", K), ("v", V))}
        check_shape("Q", inputs["q"].shape, ("B", "L", "D"), D=self.d_model)
        allowed = check_attention(inputs["q"], inputs["k"], inputs["v"], self.num_heads, mask)
        check_parameters(self.params, self._shapes, self.dtype)
        caches: dict[str, LinearCache] = {}
        # Copies, of the weights below too: backward needs them as they are now.
        q, k, v = (self._project(name, x.copy(), caches) for name, x in inputs.items())
        attended, attention = multi_head_attention_forward(q, k, v, self.num_heads, allowed)
        output = self._project("o", attended, caches)
        self._cache = caches, attention
        return (output, attention.weights.copy()) if return_weights else output

    def backward(self, d_output: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """Carry a gradient back through the last `forward` and overwrite `grads`.

        Args:
            d_output: gradient of the loss with respect to the output, (B, Lq, D).

        Returns:
            The gradients of Q, K and V. Where one array was passed as several of them, add theirs up.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: `d_output` holds no floats.
            ValueError: `d_output` has another shape than the output.
        """
        if self._cache is None:
            raise RuntimeError("MultiHeadAttention.backward needs a forward before it")
        caches, attention = self._cache
        batch, length, width = caches["o"][0].shape
        d_output = as_floats("d_output", d_output, self.dtype)
        check_shape("d_output", d_output.shape, ("B", "L", "D"), B=batch, L=length, D=width)
        d_attended = self._project_backward("o", d_output, caches)
        d_q, d_k, d_v = multi_head_attention_backward(d_attended, attention)
        return (
            self._project_backward("q", d_q, caches),
            self._project_backward("k", d_k, caches),
            self._project_backward("v", d_v, caches),
        )

    def _project(self, name: str, x: Array, caches: dict[str, LinearCache]) -> Array:
        y, caches[name] = linear_forward(x, self.params[f"W_{name}"], self.params[f"b_{name}"])
        return y

    def _project_backward(self, name: str, d_y: Array, caches: dict[str, LinearCache]) -> Array:
        d_x, self.grads[f"W_{name}"], self.grads[f"b_{name}"] = linear_backward(d_y, caches[name])
        return d_x
