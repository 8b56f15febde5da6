"""Rows mixed by attention, one sample a program: norm of queries, keys, values; attention, residual, norm."""

from __future__ import annotations

import triton
import triton.language as tl

from relational_rnn.kernels.triton.parts import (
    add_rows,
    load_column,
    load_row,
    norm_backward,
    product,
    product_transposed,
    statistics,
    store_column,
    tanh,
    tile,
    transposed_product,
)


@triton.jit
def head_part(
    projected,
    bias,
    gain,
    shift,
    mean,
    rstd,
    begin,
    N: tl.constexpr,
    P: tl.constexpr,
    WIDTH: tl.constexpr,
    N_PAD: tl.constexpr,
    WIDTH_PAD: tl.constexpr,
):
    """Return some columns, from `begin` on, of norm(projected + bias)."""
    row = tl.arange(0, N_PAD)[:, None]
    column = tl.arange(0, WIDTH_PAD)[None, :]
    inside = (row < N) & (column < WIDTH)
    x = tl.load(projected + begin + row * P + column, mask=inside, other=0)
    hat = (x + load_row(bias + begin, WIDTH, WIDTH_PAD) - mean) * rstd
    y = hat * load_row(gain + begin, WIDTH, WIDTH_PAD) + load_row(shift + begin, WIDTH, WIDTH_PAD)
    return tl.where(inside, y, 0.0)


@triton.jit(do_not_specialize=["begin", "place"])
def mix(
    projected,  # (·, N, P)
    qkv_bias,
    qkv_gain,
    qkv_shift,
    first,  # (·, R, P), the input rows' queries, keys and values
    before,  # (·, N, D)
    gain,
    shift,
    qkv_statistics,  # out, (·, 2, N)
    weights,  # out, (·, H, N, N + R)
    attended,  # out, (·, N, D), with the residual
    attended_statistics,  # out, (·, 2, N)
    normed,  # out, (·, N, D), for a product
    begin,
    place,
    N: tl.constexpr,
    R: tl.constexpr,
    H: tl.constexpr,
    K: tl.constexpr,
    V: tl.constexpr,
    N_PAD: tl.constexpr,
    R_PAD: tl.constexpr,
    K_PAD: tl.constexpr,
    V_PAD: tl.constexpr,
    P_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
    SCALE: tl.constexpr,
    DOT: tl.constexpr,
):
    """Write attention(norm(projected + bias), first) + before as `attended`, and its norm as `normed`."""
    HEAD: tl.constexpr = 2 * K + V
    P: tl.constexpr = H * HEAD
    D: tl.constexpr = H * V
    M: tl.constexpr = N + R
    index = place + tl.program_id(0).to(tl.int64)
    projected += index * N * P
    first += (begin + tl.program_id(0).to(tl.int64)) * R * P
    before += index * N * D
    attended += index * N * D
    weights += index * H * N * M

    at, inside = tile(N, P, N_PAD, P_PAD)
    x = tl.load(projected + at, mask=inside, other=0) + load_row(qkv_bias, P, P_PAD)
    mean, rstd = statistics(tl.where(inside, x, 0.0), inside, P)
    store_column(qkv_statistics + index * 2 * N, mean, N, N_PAD)
    store_column(qkv_statistics + index * 2 * N + N, rstd, N, N_PAD)

    slot = tl.arange(0, N_PAD)
    row = tl.arange(0, R_PAD)
    key = tl.arange(0, K_PAD)
    value = tl.arange(0, V_PAD)
    has_value = (slot[:, None] < N) & (value[None, :] < V)
    for head in range(H):
        q0 = head * HEAD
        k0 = q0 + K
        v0 = k0 + K
        q = head_part(projected, qkv_bias, qkv_gain, qkv_shift, mean, rstd, q0, N, P, K, N_PAD, K_PAD)
        k = head_part(projected, qkv_bias, qkv_gain, qkv_shift, mean, rstd, k0, N, P, K, N_PAD, K_PAD)
        v = head_part(projected, qkv_bias, qkv_gain, qkv_shift, mean, rstd, v0, N, P, V, N_PAD, V_PAD)
        has_key = (row[:, None] < R) & (key[None, :] < K)
        k_in = tl.load(first + k0 + row[:, None] * P + key[None, :], mask=has_key, other=0)
        has_more = (row[:, None] < R) & (value[None, :] < V)
        v_in = tl.load(first + v0 + row[:, None] * P + value[None, :], mask=has_more, other=0)

        none = -float("inf")
        scores = tl.where(slot[None, :] < N, product_transposed(q, k, DOT) * SCALE, none)
        more = tl.where(row[None, :] < R, product_transposed(q, k_in, DOT) * SCALE, none)
        top = tl.maximum(tl.max(scores, 1), tl.max(more, 1))[:, None]
        scores = tl.exp(scores - top)
        more = tl.exp(more - top)
        total = (tl.sum(scores, 1) + tl.sum(more, 1))[:, None]
        scores = scores / total
        more = more / total
        at_weights = weights + head * N * M + slot[:, None] * M
        tl.store(at_weights + slot[None, :], scores, mask=(slot[:, None] < N) & (slot[None, :] < N))
        tl.store(at_weights + N + row[None, :], more, mask=(slot[:, None] < N) & (row[None, :] < R))

        at_head = slot[:, None] * D + head * V + value[None, :]
        y = product(scores, v, DOT) + product(more, v_in, DOT)
        y += tl.load(before + at_head, mask=has_value, other=0)
        tl.store(attended + at_head, y, mask=has_value)

    tl.debug_barrier()  # the norm reads what other threads of the program have written
    at, inside = tile(N, D, N_PAD, D_PAD)
    y = tl.load(attended + at, mask=inside, other=0)
    mean, rstd = statistics(y, inside, D)
    store_column(attended_statistics + index * 2 * N, mean, N, N_PAD)
    store_column(attended_statistics + index * 2 * N + N, rstd, N, N_PAD)
    y = (y - mean) * rstd * load_row(gain, D, D_PAD) + load_row(shift, D, D_PAD)
    tl.store(normed + index * N * D + at, y, mask=inside)


@triton.jit(do_not_specialize=["place"])
def mix_backward(
    projected,  # (·, N, P), as all to `qkv_statistics` in the forward
    qkv_bias,
    qkv_gain,
    qkv_shift,
    first,
    before,
    gain,
    weights,
    attended,
    attended_statistics,
    qkv_statistics,
    d_mixed,  # (b, N, D): what reaches `normed` past the MLP
    d_through,  # (b, N, D): what reaches it through the MLP
    d_squashed,  # (b, N, D), of tanh(before); not read without gates
    d_direct,  # in and out, (b, N, D), of `before`: all but what comes through `projected`
    d_values,  # workspace, (b, N, P)
    d_projected,  # out, (·, N, P), for a product
    d_first,  # out, (·, R, P)
    sum_gain,  # these: in and out, (b, D) or (b, P)
    sum_shift,
    sum_qkv_gain,
    sum_qkv_shift,
    sum_qkv_bias,
    place,
    N: tl.constexpr,
    R: tl.constexpr,
    H: tl.constexpr,
    K: tl.constexpr,
    V: tl.constexpr,
    N_PAD: tl.constexpr,
    R_PAD: tl.constexpr,
    K_PAD: tl.constexpr,
    V_PAD: tl.constexpr,
    P_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
    SCALE: tl.constexpr,
    DOT: tl.constexpr,
    GATES: tl.constexpr,
):
    """Carry the gradient of `normed` back through `mix`."""
    HEAD: tl.constexpr = 2 * K + V
    P: tl.constexpr = H * HEAD
    D: tl.constexpr = H * V
    M: tl.constexpr = N + R
    sample = tl.program_id(0).to(tl.int64)
    index = place + sample
    projected += index * N * P
    first += index * R * P
    d_first += index * R * P
    attended += index * N * D
    weights += index * H * N * M
    d_mixed += sample * N * D
    d_through += sample * N * D
    d_values += sample * N * P

    # The norm after attention: in full for its sums, then once more head by head.
    at, inside = tile(N, D, N_PAD, D_PAD)
    mean = load_column(attended_statistics + index * 2 * N, N, N_PAD)
    rstd = load_column(attended_statistics + index * 2 * N + N, N, N_PAD)
    hat = tl.where(inside, (tl.load(attended + at, mask=inside, other=0) - mean) * rstd, 0.0)
    d_y = tl.load(d_mixed + at, mask=inside, other=0) + tl.load(d_through + at, mask=inside, other=0)
    add_rows(sum_gain + sample * D, d_y * hat, D, D_PAD)
    add_rows(sum_shift + sample * D, d_y, D, D_PAD)
    d_hat = d_y * load_row(gain, D, D_PAD)
    mean_d_hat = tl.sum(d_hat, 1)[:, None] / D
    along = tl.sum(d_hat * hat, 1)[:, None] / D
    d_attended = (d_hat - mean_d_hat - hat * along) * rstd
    at_before = sample * N * D + at
    d_attended += tl.load(d_direct + at_before, mask=inside, other=0)
    if GATES:
        squashed = tanh(tl.load(before + index * N * D + at, mask=inside, other=0))
        d_attended += tl.load(d_squashed + at_before, mask=inside, other=0) * (1 - squashed * squashed)
    tl.store(d_direct + at_before, d_attended, mask=inside)

    qkv_mean = load_column(qkv_statistics + index * 2 * N, N, N_PAD)
    qkv_inv = load_column(qkv_statistics + index * 2 * N + N, N, N_PAD)
    slot = tl.arange(0, N_PAD)
    row = tl.arange(0, R_PAD)
    key = tl.arange(0, K_PAD)
    value = tl.arange(0, V_PAD)
    slot_key = (slot[:, None] < N) & (key[None, :] < K)
    slot_value = (slot[:, None] < N) & (value[None, :] < V)
    row_key = (row[:, None] < R) & (key[None, :] < K)
    row_value = (row[:, None] < R) & (value[None, :] < V)
    for head in range(H):
        at_head = slot[:, None] * D + head * V + value[None, :]
        hat_head = (tl.load(attended + at_head, mask=slot_value, other=0) - mean) * rstd
        d_head = tl.load(d_mixed + at_head, mask=slot_value, other=0)
        d_head += tl.load(d_through + at_head, mask=slot_value, other=0)
        d_head = d_head * load_row(gain + head * V, V, V_PAD) - mean_d_hat - hat_head * along
        d_head = tl.where(slot_value, d_head * rstd, 0.0)

        q0 = head * HEAD
        k0 = q0 + K
        v0 = k0 + K
        q = head_part(projected, qkv_bias, qkv_gain, qkv_shift, qkv_mean, qkv_inv, q0, N, P, K, N_PAD, K_PAD)
        k = head_part(projected, qkv_bias, qkv_gain, qkv_shift, qkv_mean, qkv_inv, k0, N, P, K, N_PAD, K_PAD)
        v = head_part(projected, qkv_bias, qkv_gain, qkv_shift, qkv_mean, qkv_inv, v0, N, P, V, N_PAD, V_PAD)
        at_key = k0 + row[:, None] * P + key[None, :]
        at_value = v0 + row[:, None] * P + value[None, :]
        k_in = tl.load(first + at_key, mask=row_key, other=0)
        v_in = tl.load(first + at_value, mask=row_value, other=0)
        at_weights = weights + head * N * M + slot[:, None] * M
        w = tl.load(at_weights + slot[None, :], mask=(slot[:, None] < N) & (slot[None, :] < N), other=0)
        w_in = tl.load(at_weights + N + row[None, :], mask=(slot[:, None] < N) & (row[None, :] < R), other=0)

        d_w = product_transposed(d_head, v, DOT)
        d_w_in = product_transposed(d_head, v_in, DOT)
        expected = (tl.sum(d_w * w, 1) + tl.sum(d_w_in * w_in, 1))[:, None]
        d_scores = w * (d_w - expected) * SCALE
        d_scores_in = w_in * (d_w_in - expected) * SCALE

        d_q = product(d_scores, k, DOT) + product(d_scores_in, k_in, DOT)
        at_slot = slot[:, None] * P
        tl.store(d_values + q0 + at_slot + key[None, :], d_q, mask=slot_key)
        d_k = transposed_product(d_scores, q, DOT)
        tl.store(d_values + k0 + at_slot + key[None, :], d_k, mask=slot_key)
        d_v = transposed_product(w, d_head, DOT)
        tl.store(d_values + v0 + at_slot + value[None, :], d_v, mask=slot_value)

        d_k_in = transposed_product(d_scores_in, q, DOT)
        tl.store(d_first + at_key, d_k_in, mask=row_key)
        tl.store(d_first + at_key - K, tl.zeros_like(d_k_in), mask=row_key)  # the input rows do not ask
        tl.store(d_first + at_value, transposed_product(w_in, d_head, DOT), mask=row_value)

    tl.debug_barrier()  # the norm reads what other threads of the program have written
    at_all, inside_all = tile(N, P, N_PAD, P_PAD)
    d_all = tl.load(d_values + at_all, mask=inside_all, other=0)
    x = tl.load(projected + at_all, mask=inside_all, other=0) + load_row(qkv_bias, P, P_PAD)
    hat_all = tl.where(inside_all, (x - qkv_mean) * qkv_inv, 0.0)
    add_rows(sum_qkv_gain + sample * P, d_all * hat_all, P, P_PAD)
    add_rows(sum_qkv_shift + sample * P, d_all, P, P_PAD)
    d_x = norm_backward(d_all, hat_all, qkv_inv, load_row(qkv_gain, P, P_PAD), P)
    d_x = tl.where(inside_all, d_x, 0.0)
    add_rows(sum_qkv_bias + sample * P, d_x, P, P_PAD)
    tl.store(d_projected + index * N * P + at_all, d_x, mask=inside_all)
