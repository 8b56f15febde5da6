"""How parameters start: the authors' truncated normal, Xavier's uniform, and orthogonal matrices."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def truncated_normal(
    generator: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> Float[np.ndarray, "*shape"]:
    """Draw from N(0, 1/fan_in) cut at two standard deviations.

    Values outside are drawn again and the rest is not rescaled, so the standard deviation that comes out is
    0.8796 / sqrt(fan_in). Source: Sonnet 1.36, the default of `Linear` (`tf.truncated_normal_initializer`).

    Args:
        generator: where the values come from.
        shape: of the result.
        fan_in: features that enter one output.

    Example:
        >>> bool(np.abs(truncated_normal(np.random.default_rng(0), (50, 4), fan_in=4)).max() <= 1.0)
        True
    """
    values = generator.standard_normal(shape)
    outside = np.abs(values) > 2
    while outside.any():
        values[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(values) > 2
    return values / math.sqrt(fan_in)


def xavier_uniform(
    generator: np.random.Generator, outputs: int, inputs: int
) -> Float[np.ndarray, "outputs inputs"]:
    """Draw a weight uniformly from ±sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16).

    Example:
        >>> xavier_uniform(np.random.default_rng(0), 3, 2).shape
        (3, 2)
    """
    bound = math.sqrt(6 / (inputs + outputs))
    return generator.uniform(-bound, bound, (outputs, inputs))


def orthogonal(generator: np.random.Generator, size: int) -> Float[np.ndarray, "size size"]:
    """Draw a square orthogonal matrix, every one equally likely (Saxe et al. 2014).

    A random normal matrix is split into Q R; the signs of R's diagonal make Q's distribution uniform.

    Example:
        >>> q = orthogonal(np.random.default_rng(0), 3)
        >>> bool(np.allclose(q @ q.T, np.eye(3)))
        True
    """
    q, r = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))
