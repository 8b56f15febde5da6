"""The checks of exercise 7: central differences, and the backward pass of a step of gated attention."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare, unpack
from relational_rnn.reference import attention, gates, linear, softmax

BATCH, SLOTS, WIDTH = 2, 3, 4
STEP_NAMES: Final = ("d_memory", "d_weight", "d_bias")


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def _polynomial(x: Array) -> float:
    if x.shape != (2, 3):
        raise ValueError(f"the function takes an array of shape (2, 3), got {x.shape}")
    return float((x**3).sum() + 5 * x[0, 0] * x[1, 2])


def differences_with_a_large_step(central_differences: Function) -> None:
    """A polynomial of six numbers with h = 0.1, where the kind of difference shows."""
    x, h = draw(2, 3), 0.1
    slope = 3 * x**2
    slope[0, 0] += 5 * x[1, 2]
    slope[1, 2] += 5 * x[0, 0]
    right = slope + h**2
    at_once = float((right * np.ones_like(x)).sum())
    compare(
        "The gradient",
        central_differences(_polynomial, x, h),
        right,
        {
            "That is the forward difference, (f(x + h) - f(x)) / h, whose error is of order h. Take the "
            "point below too: its error is of order h².": slope + 3 * x * h + h**2,
            "It is twice as large: x + h and x - h are 2h apart.": 2 * right,
            "Brackets are missing: / (2 * step). `/ 2 * step` divides by 2 and multiplies by h.": right
            * h**2,
            "It is not divided by the distance, 2h.": 2 * h * right,
            "All entries are moved at once; move one at a time.": np.full_like(x, at_once),
        },
    )


def differences_by_default(central_differences: Function) -> None:
    """The sum of exp, with the default h: eight digits are right."""
    x = draw(3, 2)
    compare(
        "The gradient", central_differences(lambda y: float(np.exp(y).sum()), x), np.exp(x), tolerance=1e-8
    )


def linear_layer(linear_backward: Function) -> None:
    """Two samples of three rows, from four features to five."""
    x, weight, d_y = draw(BATCH, SLOTS, WIDTH), draw(5, WIDTH, seed=1), draw(BATCH, SLOTS, 5, seed=2)
    got = unpack(("d_x", "d_weight", "d_bias"), linear_backward(d_y, x, weight))
    (d_x, d_weight, d_bias) = linear.linear_backward(d_y, linear.linear_forward(x, weight, np.zeros(5))[1])
    compare("d_x", got[0], d_x)
    compare(
        "d_weight",
        got[1],
        d_weight,
        {
            "d_weight is transposed: a gradient has the shape of its variable, (O, D).": d_weight.T,
            "d_weight is kept for each sample; the weight served all of them, so add them up.": np.einsum(
                "bno,bnd->bod", d_y, x
            ),
            "d_weight is a mean over the rows. It is a sum: if the loss is a mean, its factor is in d_y "
            "already.": d_weight / (BATCH * SLOTS),
        },
    )
    compare(
        "d_bias",
        got[2],
        d_bias,
        {
            "d_bias is summed over the batch alone; every row had the same bias.": d_y.sum(axis=0),
            "d_bias is a mean over the rows; it is a sum.": d_bias / (BATCH * SLOTS),
        },
    )


def softmax_by_hand(softmax_backward: Function) -> None:
    """The example of the page, weights 0.804 and 0.196, and a second row."""
    y, _ = softmax.softmax_forward(np.array([[math.sqrt(2), 0.0], [0.0, 1.0]]))
    _softmax(softmax_backward, np.array([[10.0, 20.0], [1.0, 3.0]]), y)


def softmax_of_batches(softmax_backward: Function) -> None:
    """Weights of shape (2, 3, 4)."""
    y, _ = softmax.softmax_forward(draw(BATCH, SLOTS, WIDTH))
    _softmax(softmax_backward, draw(BATCH, SLOTS, WIDTH, seed=1), y)


def _softmax(softmax_backward: Function, d_y: Array, y: Array) -> None:
    compare(
        "The gradient of the scores",
        softmax_backward(d_y, y),
        softmax.softmax_backward(d_y, y),
        {
            "That is the diagonal of the Jacobian, y (1 - y), as for a sigmoid. A score also changes the "
            "other weights of its row.": d_y * y * (1 - y),
            "The part through the row's sum is missing: a score also lowers the row's other weights.": d_y
            * y,
            "The sum runs over the queries (axis -2). A row is normalised over the last axis, so sum over "
            "the last.": y * (d_y - (d_y * y).sum(axis=-2, keepdims=True)),
            "The sum runs over the whole array; each row has its own.": y * (d_y - (d_y * y).sum()),
            "That subtracts the plain mean of d_y; its mean is weighted by y.": y
            * (d_y - d_y.mean(axis=-1, keepdims=True)),
            "The sum is of d_y alone; weight it by y.": y * (d_y - d_y.sum(axis=-1, keepdims=True)),
            "The bracket is right; multiply it by y.": d_y - (d_y * y).sum(axis=-1, keepdims=True),
        },
    )


def attention_of_equal_lengths(attention_backward: Function) -> None:
    """Three queries and three keys, so that a forgotten transpose raises no error."""
    _attention(attention_backward, SLOTS)


def attention_of_other_lengths(attention_backward: Function) -> None:
    """Three queries and five keys."""
    _attention(attention_backward, 5)


def _attention(attention_backward: Function, keys: int) -> None:
    q, k, v = draw(BATCH, SLOTS, WIDTH), draw(BATCH, keys, WIDTH, seed=1), draw(BATCH, keys, 6, seed=2)
    d_output = draw(BATCH, SLOTS, 6, seed=3)
    _, cache = attention.attention_forward(q[:, None], k[:, None], v[:, None])
    weights = cache.weights[:, 0]
    got = unpack(("d_q", "d_k", "d_v"), attention_backward(d_output, q, k, v, weights))
    d_q, d_k, d_v = (d[:, 0] for d in attention.attention_backward(d_output[:, None], cache))
    d_weights, scale = d_output @ v.swapaxes(1, 2), 1 / math.sqrt(WIDTH)
    straight, swapped = d_weights * scale, softmax.softmax_backward(weights, d_weights) * scale
    mistakes = {
        "1/sqrt(K) is missing: the scores were scaled on the way forward, so their gradient is too.": (
            d_q / scale,
            d_k / scale,
        ),
        "The softmax is missing on the way back: go from the weights to the scores first.": (
            straight @ k,
            straight.swapaxes(1, 2) @ q,
        ),
        "The arguments of softmax_backward are swapped: d_y, the weights' gradient, comes first.": (
            swapped @ k,
            swapped.swapaxes(1, 2) @ q,
        ),
    }
    across = (d_v, weights @ d_output) if keys == SLOTS else (d_v, d_v)
    compare(
        "d_v",
        got[2],
        d_v,
        {
            "That is d_k: return d_q, d_k, d_v.": d_k,
            "That is d_q: return d_q, d_k, d_v.": d_q,
            "d_v needs the weights transposed: value j collects from every query i, with weight [i, j].": (
                across[1]
            ),
        },
    )
    of_q = {message: wrong[0] for message, wrong in mistakes.items()}
    of_q["d_q and d_k are swapped: return d_q, d_k, d_v."] = d_k
    compare("d_q", got[0], d_q, of_q)
    of_k = {message: wrong[1] for message, wrong in mistakes.items()}
    if keys == SLOTS:
        d_products = softmax.softmax_backward(d_weights, weights) * scale
        of_k["d_k needs the scores' gradient transposed: key j collects from every query i."] = d_products @ q
    compare("d_k", got[1], d_k, of_k)


def _gates() -> tuple[Array, Array, gates.GatesCache]:
    memory, new = draw(BATCH, SLOTS, WIDTH), draw(BATCH, SLOTS, WIDTH, seed=1)
    _, cache = gates.gates_forward(draw(BATCH, SLOTS, 2 * WIDTH, seed=2), new, memory, 0.0, 0.0)
    return draw(BATCH, SLOTS, WIDTH, seed=3), memory, cache


def gated_update(gates_backward: Function) -> None:
    """Unit gates, two samples of three slots of four features."""
    d_next, memory, cache = _gates()
    i, f, candidate = cache.input_gate, cache.forget_gate, cache.candidate
    got = unpack(("d_logits", "d_new", "d_memory"), gates_backward(d_next, i, f, candidate, memory))
    d_logits, d_new, d_memory = gates.gates_backward(d_next, cache)
    plain = np.concatenate([d_next * candidate, d_next * memory], axis=-1)
    compare(
        "d_logits",
        got[0],
        d_logits,
        {
            "The halves of d_logits are swapped: i's gradient first.": np.roll(d_logits, WIDTH, axis=-1),
            "The sigmoid's derivative is missing: times i (1 - i), times f (1 - f).": plain,
            "The sigmoid's derivative is missing at one of the gates: times s (1 - s) for both, i and f.": (
                np.concatenate([plain[..., :WIDTH], d_logits[..., WIDTH:]], axis=-1),
                np.concatenate([d_logits[..., :WIDTH], plain[..., WIDTH:]], axis=-1),
            ),
            "The sigmoid's derivative has two factors, s and 1 - s; one is missing.": (
                plain * cache.gates,
                plain * (1 - cache.gates),
            ),
            "The gates get each other's factor: i was multiplied by the candidate, f by the memory.": (
                np.roll(plain, WIDTH, axis=-1) * cache.gates * (1 - cache.gates)
            ),
            "The sigmoid's derivative is s (1 - s), with s after the sigmoid; you took tanh's, 1 - s².": plain
            * (1 - cache.gates**2),
        },
    )
    compare(
        "d_new",
        got[1],
        d_new,
        {
            "d_new and d_memory are swapped: return d_logits, d_new, d_memory.": d_memory,
            "tanh's derivative is missing: times 1 - candidate².": d_next * i,
            "tanh's derivative is 1 - candidate², the square of its result.": d_next * i * (1 - candidate),
            "The candidate is tanh(new) already; you took tanh of it once more.": d_next
            * i
            * (1 - np.tanh(candidate) ** 2),
        },
    )
    compare(
        "d_memory",
        got[2],
        d_memory,
        {
            "The memory was multiplied by the forget gate, so d_memory is d_next times f, not i.": d_next * i,
            "d_memory is d_next as it came; the forget gate was in between.": d_next,
        },
    )


def _step() -> tuple[tuple[Array, ...], tuple[Array, ...], dict[str, Array]]:
    """Return the arguments of `step_backward`, its results, and what reaches the memory on each way."""
    memory, d_next = draw(BATCH, SLOTS, WIDTH), draw(BATCH, SLOTS, WIDTH, seed=3)
    weight, bias = 0.5 * draw(2 * WIDTH, WIDTH, seed=1), draw(2 * WIDTH, seed=2)
    heads = memory[:, None]
    attended, of_attention = attention.attention_forward(heads, heads, heads)
    squashed = np.tanh(memory)
    logits, of_linear = linear.linear_forward(squashed, weight, bias)
    _, of_gates = gates.gates_forward(logits, memory + attended[:, 0], memory, 0.0, 0.0)
    d_logits, d_new, d_kept = gates.gates_backward(d_next, of_gates)
    d_squashed, d_weight, d_bias = linear.linear_backward(d_logits, of_linear)
    d_q, d_k, d_v = (d[:, 0] for d in attention.attention_backward(d_new[:, None], of_attention))
    ways = {
        "kept": d_kept,
        "logits": d_squashed * (1 - squashed**2),
        "residual": d_new,
        "queries": d_q,
        "keys": d_k,
        "values": d_v,
        "straight": d_squashed,
        "unsquashed": np.einsum("bno,bnd->od", d_logits, memory),
    }
    total = sum((ways[name] for name in list(ways)[:6]), np.zeros_like(memory))
    return (d_next, memory, weight, bias), (total, d_weight, d_bias), ways


def whole_step(step_backward: Function) -> None:
    """The whole step: the memory enters it in six places."""
    given, (d_memory, d_weight, d_bias), ways = _step()
    got = unpack(STEP_NAMES, step_backward(*given))
    mistakes = {
        "The residual's path is missing: new = memory + attention, so d_new reaches the memory directly "
        "too.": d_memory - ways["residual"],
        "The path through the forget gate is missing: next = ... + f * memory.": d_memory - ways["kept"],
        "The path through the gates' logits is missing: they look at tanh(memory).": d_memory
        - ways["logits"],
        "On the way through the logits tanh's derivative is missing: times 1 - tanh(memory)².": d_memory
        - ways["logits"]
        + ways["straight"],
        "Only the values' path leads through the attention here. The memory was query and key too.": d_memory
        - ways["queries"]
        - ways["keys"],
        "Only the queries' path leads through the attention here. The memory was key and value too.": d_memory
        - ways["keys"]
        - ways["values"],
        "The whole path through the attention is missing.": d_memory
        - ways["queries"]
        - ways["keys"]
        - ways["values"],
    }
    for role in ("queries", "keys", "values"):
        mistakes[f"The memory gave the {role} too, and their gradient does not reach it."] = (
            d_memory - ways[role]
        )
    compare("d_memory", got[0], d_memory, mistakes)
    compare(
        "d_weight",
        got[1],
        d_weight,
        {"The gates' layer got tanh(memory), not the memory: d_weight needs the same.": ways["unsquashed"]},
    )
    compare("d_bias", got[2], d_bias)


def gaps_of_a_right_pass(gradient_gaps: Function) -> None:
    """A backward pass that is right: gaps near 0."""
    given, right, _ = _step()
    gaps = gradient_gaps(lambda *arguments: right, *given)
    if isinstance(gaps, np.ndarray) and gaps.shape == (3,) and not (gaps < 1e-6).all():
        raise WrongAnswer(
            f"The backward pass was right, and the gaps are {', '.join(f'{gap:.2g}' for gap in gaps)}. Is "
            f"the loss sum(d_next * next), and is each array moved in its own place?"
        )
    compare("The gaps", gaps, np.zeros(3), tolerance=1e-6)


def gaps_of_wrong_passes(gradient_gaps: Function) -> None:
    """Backward passes that are wrong in one array, in one entry: the gap says by how much."""
    given, right, _ = _step()
    for place in range(3):
        off = np.zeros_like(right[place])
        off.flat[1], off.flat[2] = -0.5, 0.25
        wrong = [*right]
        wrong[place] = right[place] + off
        expected = np.zeros(3)
        expected[place] = 0.5
        lost, mean, root = expected.copy(), expected.copy(), expected.copy()
        lost[place] = 0.25
        mean[place] = np.abs(off).mean()
        root[place] = math.sqrt((off**2).sum())
        compare(
            "The gaps",
            gradient_gaps(lambda *arguments, wrong=tuple(wrong): wrong, *given),
            expected,
            {
                "Two entries were off by -0.5 and 0.25: take absolute values before the largest.": lost,
                "That is the mean of the differences, which hides a single wrong entry; take the largest.": (
                    mean
                ),
                "That is the norm of the differences; take the largest.": root,
            },
            tolerance=1e-6,
        )


PARTS: Final = (
    Part("central_differences", (differences_with_a_large_step, differences_by_default)),
    Part("linear_backward", (linear_layer,)),
    Part("softmax_backward", (softmax_by_hand, softmax_of_batches)),
    Part("attention_backward", (attention_of_equal_lengths, attention_of_other_lengths)),
    Part("gates_backward", (gated_update,)),
    Part("step_backward", (whole_step,)),
    Part("gradient_gaps", (gaps_of_a_right_pass, gaps_of_wrong_passes)),
)
