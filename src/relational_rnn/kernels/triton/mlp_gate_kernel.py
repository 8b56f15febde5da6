"""The row-wise rest of a step, one sample a program: the MLP's ReLU; its residual and norm, gates, memory."""

from __future__ import annotations

import triton
import triton.language as tl

from relational_rnn.kernels.triton.parts import (
    add_rows,
    load_column,
    load_row,
    norm_backward,
    statistics,
    store_column,
    tanh,
    tile,
)


@triton.jit(do_not_specialize=["place"])
def activate(
    x,  # (b, N, D)
    bias,
    hidden,  # out, (·, N, D), for a product
    place,
    N: tl.constexpr,
    D: tl.constexpr,
    N_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
):
    """Write relu(x + bias)."""
    sample = tl.program_id(0).to(tl.int64)
    at, inside = tile(N, D, N_PAD, D_PAD)
    y = tl.load(x + sample * N * D + at, mask=inside, other=0) + load_row(bias, D, D_PAD)
    y = tl.where(y < 0, 0.0, y)  # NaN stays
    tl.store(hidden + (place + sample) * N * D + at, y, mask=inside)


@triton.jit(do_not_specialize=["place"])
def activate_backward(
    d_hidden,  # (b, N, D)
    hidden,
    d_x,  # out, (·, N, D), for a product
    sum_bias,  # in and out, (b, D)
    place,
    N: tl.constexpr,
    D: tl.constexpr,
    N_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
):
    """Carry the gradient of `hidden` back through `activate`."""
    sample = tl.program_id(0).to(tl.int64)
    index = (place + sample) * N * D
    at, inside = tile(N, D, N_PAD, D_PAD)
    d = tl.load(d_hidden + sample * N * D + at, mask=inside, other=0)
    d = tl.where(tl.load(hidden + index + at, mask=inside, other=0) > 0, d, 0.0)
    add_rows(sum_bias + sample * D, d, D, D_PAD)
    tl.store(d_x + index + at, d, mask=inside)


@triton.jit
def mlp_output(
    mixed,
    bias,
    attended,
    attended_statistics,
    attended_gain,
    attended_shift,
    N: tl.constexpr,
    D: tl.constexpr,
    N_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
):
    """Return mixed + bias + norm(attended): what goes into the norm after the MLP."""
    at, inside = tile(N, D, N_PAD, D_PAD)
    mean = load_column(attended_statistics, N, N_PAD)
    rstd = load_column(attended_statistics + N, N, N_PAD)
    hat = (tl.load(attended + at, mask=inside, other=0) - mean) * rstd
    rows = hat * load_row(attended_gain, D, D_PAD) + load_row(attended_shift, D, D_PAD)
    x = rows + tl.load(mixed + at, mask=inside, other=0) + load_row(bias, D, D_PAD)
    return tl.where(inside, x, 0.0)


@triton.jit
def half_gates(logits, share, N: tl.constexpr, G: tl.constexpr, N_PAD: tl.constexpr, G_PAD: tl.constexpr):
    """Return one of the two gates; the pointers point at its first logit, rows are 2G wide."""
    row = tl.arange(0, N_PAD)[:, None]
    column = tl.arange(0, G_PAD)[None, :]
    x = tl.load(logits + row * 2 * G + column, mask=(row < N) & (column < G), other=0)
    return tl.sigmoid(x + load_row(share, G, G_PAD))


@triton.jit(do_not_specialize=["begin", "place", "next_place", "next_size"])
def finish(
    mixed,  # (·, N, D), the last product of the MLP
    bias,
    gain,
    shift,
    attended,  # as `mix` left it
    attended_statistics,
    attended_gain,
    attended_shift,
    logits,  # (·, N, 2G), the memory's share of the gates
    share,  # (·, 2G), the input's
    before,  # (·, N, D)
    restarts,  # (·,), not 0 where the memory before the next step is the initial one
    initial,  # (N, D)
    mixed_statistics,  # out, (·, 2, N)
    memories,  # out, (·, N, D)
    befores,  # out, (·, N, D), before the next step; maybe where `before` is
    operand,  # out, the same for a product
    squashed,  # out, (·, N, D), tanh of it, for a product
    begin,
    place,
    next_place,
    next_size,  # samples that go on
    N: tl.constexpr,
    D: tl.constexpr,
    G: tl.constexpr,
    N_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
    G_PAD: tl.constexpr,
    RESTARTS: tl.constexpr,
    SPLIT: tl.constexpr,
):
    """Write forget gate * before + input gate * tanh(norm(mixed + bias + norm(attended)))."""
    sample = tl.program_id(0).to(tl.int64)
    index = place + sample
    at, inside = tile(N, D, N_PAD, D_PAD)
    x = mlp_output(
        mixed + index * N * D,
        bias,
        attended + index * N * D,
        attended_statistics + index * 2 * N,
        attended_gain,
        attended_shift,
        N,
        D,
        N_PAD,
        D_PAD,
    )
    mean, rstd = statistics(x, inside, D)
    store_column(mixed_statistics + index * 2 * N, mean, N, N_PAD)
    store_column(mixed_statistics + index * 2 * N + N, rstd, N, N_PAD)
    y = (x - mean) * rstd * load_row(gain, D, D_PAD) + load_row(shift, D, D_PAD)
    if G > 0:
        logits += index * N * 2 * G
        share += (begin + sample) * 2 * G
        input_gate = half_gates(logits, share, N, G, N_PAD, G_PAD)
        forget_gate = half_gates(logits + G, share + G, N, G, N_PAD, G_PAD)
        y = forget_gate * tl.load(before + index * N * D + at, mask=inside, other=0) + input_gate * tanh(y)
    tl.store(memories + (begin + sample) * N * D + at, y, mask=inside)

    if sample < next_size:
        if RESTARTS:
            restarted = tl.load(restarts + begin + tl.num_programs(0) + sample) != 0
            y = tl.where(restarted, tl.load(initial + at, mask=inside, other=0), y)
        at_next = (next_place + sample) * N * D + at
        tl.store(befores + at_next, y, mask=inside)
        if SPLIT:
            tl.store(operand + at_next, y, mask=inside)
        if G > 0:
            tl.store(squashed + at_next, tanh(y), mask=inside)


@triton.jit(do_not_specialize=["begin", "place", "next_size"])
def finish_backward(
    mixed,  # (·, N, D), as all to `mixed_statistics` in the forward
    bias,
    gain,
    shift,
    attended,
    attended_statistics,
    attended_gain,
    attended_shift,
    logits,
    share,
    before,
    restarts,
    mixed_statistics,
    d_memories,  # (·, N, D); not read without MEMORIES
    d_direct,  # in and out, (b, N, D), of the next step's `before`, then of this one's
    d_projected_back,  # (b, N, D), what reaches the next step's `before` through its projection
    d_mixed,  # out, (b, N, D)
    d_operand,  # out, (·, N, D), the same for a product
    d_logits,  # out, (·, N, 2G), for a product
    d_share,  # out, (·, 2G)
    sum_gain,  # these: in and out, (b, D)
    sum_shift,
    sum_bias,
    sum_initial,  # in and out, (b, N, D)
    begin,
    place,
    next_size,
    N: tl.constexpr,
    D: tl.constexpr,
    G: tl.constexpr,
    N_PAD: tl.constexpr,
    D_PAD: tl.constexpr,
    G_PAD: tl.constexpr,
    RESTARTS: tl.constexpr,
    MEMORIES: tl.constexpr,
):
    """Carry the gradient of the memory back through `finish`."""
    sample = tl.program_id(0).to(tl.int64)
    index = place + sample
    at, inside = tile(N, D, N_PAD, D_PAD)
    at_sample = sample * N * D + at
    d = tl.load(d_direct + at_sample, mask=inside, other=0)
    d += tl.load(d_projected_back + at_sample, mask=inside, other=0)
    if RESTARTS:  # noqa: SIM102  (this one is known when the kernel is compiled)
        if sample < next_size:
            restarted = tl.load(restarts + begin + tl.num_programs(0) + sample) != 0
            d_initial = tl.load(sum_initial + at_sample, mask=inside, other=0)
            tl.store(sum_initial + at_sample, d_initial + tl.where(restarted, d, 0.0), mask=inside)
            d = tl.where(restarted, 0.0, d)
    if MEMORIES:
        d += tl.load(d_memories + (begin + sample) * N * D + at, mask=inside, other=0)

    mean = load_column(mixed_statistics + index * 2 * N, N, N_PAD)
    rstd = load_column(mixed_statistics + index * 2 * N + N, N, N_PAD)
    x = mlp_output(
        mixed + index * N * D,
        bias,
        attended + index * N * D,
        attended_statistics + index * 2 * N,
        attended_gain,
        attended_shift,
        N,
        D,
        N_PAD,
        D_PAD,
    )
    hat = tl.where(inside, (x - mean) * rstd, 0.0)
    scale = load_row(gain, D, D_PAD)
    if G > 0:
        logits += index * N * 2 * G
        share += index * 2 * G
        d_logits += index * N * 2 * G
        d_share += index * 2 * G
        input_gate = half_gates(logits, share, N, G, N_PAD, G_PAD)
        forget_gate = half_gates(logits + G, share + G, N, G, N_PAD, G_PAD)
        candidate = tanh(hat * scale + load_row(shift, D, D_PAD))
        d_input = d * candidate
        d_forget = d * tl.load(before + index * N * D + at, mask=inside, other=0)
        if G == 1:
            d_input = tl.sum(d_input, 1)[:, None]
            d_forget = tl.sum(d_forget, 1)[:, None]
        d_input = d_input * input_gate * (1 - input_gate)
        d_forget = d_forget * forget_gate * (1 - forget_gate)
        row = tl.arange(0, N_PAD)[:, None]
        column = tl.arange(0, G_PAD)[None, :]
        has_gate = (row < N) & (column < G)
        tl.store(d_logits + row * 2 * G + column, d_input, mask=has_gate)
        tl.store(d_logits + G + row * 2 * G + column, d_forget, mask=has_gate)
        column = tl.arange(0, G_PAD)
        tl.store(d_share + column, tl.sum(d_input, 0), mask=column < G)
        tl.store(d_share + G + column, tl.sum(d_forget, 0), mask=column < G)
        tl.store(d_direct + at_sample, d * forget_gate, mask=inside)
        d = d * input_gate * (1 - candidate * candidate)
    else:
        tl.debug_barrier()  # nothing of `d` tells the store that all threads have read
        tl.store(d_direct + at_sample, tl.zeros_like(d), mask=inside)
    add_rows(sum_gain + sample * D, d * hat, D, D_PAD)
    add_rows(sum_shift + sample * D, d, D, D_PAD)
    d = tl.where(inside, norm_backward(d, hat, rstd, scale, D), 0.0)
    add_rows(sum_bias + sample * D, d, D, D_PAD)
    tl.store(d_mixed + at_sample, d, mask=inside)
    tl.store(d_operand + index * N * D + at, d, mask=inside)
