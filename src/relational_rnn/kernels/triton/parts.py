"""What the Triton kernels are made of: tiles of rows, norms and their derivative, small products.

A tile is padded to powers of two and 0 outside. Results have the dtype of what comes in: float32 or float64.
"""

from __future__ import annotations

import triton
import triton.language as tl

from relational_rnn.kernels import eager

EPSILON: tl.constexpr = tl.constexpr(eager.EPSILON)


@triton.jit
def tile(ROWS: tl.constexpr, WIDTH: tl.constexpr, ROWS_PAD: tl.constexpr, WIDTH_PAD: tl.constexpr):
    """Return the offsets of the entries of a contiguous matrix, and which of them are inside."""
    row = tl.arange(0, ROWS_PAD)[:, None]
    column = tl.arange(0, WIDTH_PAD)[None, :]
    return row * WIDTH + column, (row < ROWS) & (column < WIDTH)


@triton.jit
def load_row(x, WIDTH: tl.constexpr, WIDTH_PAD: tl.constexpr):
    """Load a vector as a tile of one row."""
    column = tl.arange(0, WIDTH_PAD)[None, :]
    return tl.load(x + column, mask=column < WIDTH, other=0)


@triton.jit
def load_column(x, ROWS: tl.constexpr, ROWS_PAD: tl.constexpr):
    """Load a vector as a tile of one column."""
    row = tl.arange(0, ROWS_PAD)[:, None]
    return tl.load(x + row, mask=row < ROWS, other=0)


@triton.jit
def store_column(x, value, ROWS: tl.constexpr, ROWS_PAD: tl.constexpr):
    """Store a tile of one column as a vector."""
    row = tl.arange(0, ROWS_PAD)[:, None]
    tl.store(x + row, value, mask=row < ROWS)


@triton.jit
def add_rows(total, x, WIDTH: tl.constexpr, WIDTH_PAD: tl.constexpr):
    """Add the sum of a tile's rows to a vector in memory."""
    column = tl.arange(0, WIDTH_PAD)
    inside = column < WIDTH
    tl.store(total + column, tl.load(total + column, mask=inside, other=0) + tl.sum(x, 0), mask=inside)


@triton.jit
def tanh(x):
    """Squash: 2 σ(2x) - 1, with an error that is a share of 1, as in `fused.rows.tanh`."""
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def statistics(x, inside, WIDTH: tl.constexpr):
    """Return each row's mean and rstd, 1 / deviation, as columns."""
    mean = tl.sum(x, 1)[:, None] / WIDTH
    centred = tl.where(inside, x - mean, 0.0)
    return mean, 1 / tl.sqrt(tl.sum(centred * centred, 1)[:, None] / WIDTH + EPSILON)


@triton.jit
def norm_backward(d_y, hat, rstd, gain, WIDTH: tl.constexpr):
    """Carry d_y back through y = gain * hat + shift, where hat = (x - mean) * rstd."""
    d_hat = d_y * gain
    mean = tl.sum(d_hat, 1)[:, None] / WIDTH
    along = tl.sum(d_hat * hat, 1)[:, None] / WIDTH
    return (d_hat - mean - hat * along) * rstd


@triton.jit
def product_transposed(a, b, DOT: tl.constexpr):
    """Return a bᵀ: (I, L), (J, L) -> (I, J)."""
    if DOT:
        return tl.dot(a, tl.trans(b), input_precision="ieee")
    return tl.sum(a[:, None, :] * b[None, :, :], 2)


@triton.jit
def product(a, b, DOT: tl.constexpr):
    """Return a b: (I, J), (J, L) -> (I, L)."""
    if DOT:
        return tl.dot(a, b, input_precision="ieee")
    return tl.sum(a[:, :, None] * b[None, :, :], 1)


@triton.jit
def transposed_product(a, b, DOT: tl.constexpr):
    """Return aᵀ b: (I, J), (I, L) -> (J, L)."""
    if DOT:
        return tl.dot(tl.trans(a), b, input_precision="ieee")
    return tl.sum(a[:, :, None] * b[:, None, :], 0)
