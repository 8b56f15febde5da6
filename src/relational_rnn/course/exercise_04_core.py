"""The checks of exercise 4: the parts of a step, the step, the loop, and the core that is trained."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, called, compare, unpack
from relational_rnn.reference import RelationalMemory, RelationalMemoryCell
from relational_rnn.reference.attention import attention_forward, merge_heads, split_heads
from relational_rnn.reference.gates import gates_forward
from relational_rnn.reference.layer_norm import layer_norm_forward
from relational_rnn.reference.linear import linear_forward
from relational_rnn.reference.mlp import mlp_forward

BATCH, STEPS, FEATURES, SLOTS = 2, 4, 5, 3
TOLERANCE: Final = 1e-10
NAMES: Final = ("q", "k", "v")
INPUT_ROW: Final = (
    "The input's row is still there, N + 1 rows: it is the last that attention and MLP made. Drop it before "
    "the gates, [:, :-1]."
)
Params = dict[str, Array]


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def make_cell(num_heads: int, key_size: int | None = None) -> RelationalMemoryCell:
    """Make a cell of width 8 whose parameters are all away from special values such as 0 and 1."""
    cell = RelationalMemoryCell(
        FEATURES, SLOTS, head_size=8 // num_heads, num_heads=num_heads, key_size=key_size, seed=1
    )
    generator = np.random.default_rng(2)
    for value in cell.params.values():
        value += 0.3 * generator.standard_normal(value.shape)
    return cell


def _linear(x: Array, params: Params, name: str) -> Array:
    return linear_forward(x, params[f"{name}.weight"], params[f"{name}.bias"])[0]


def _norm(x: Array, params: Params, name: str) -> Array:
    return layer_norm_forward(x, params[f"{name}.weight"], params[f"{name}.bias"])[0]


def _cut(heads: Array, value: int) -> tuple[Array, Array, Array]:
    key = (heads.shape[-1] - value) // 2
    return heads[..., :key], heads[..., key : 2 * key], heads[..., 2 * key :]


def _qkv(rows: Array, params: Params, num_heads: int) -> tuple[Array, Array, Array]:
    qkv = _norm(_linear(rows, params, "blocks.0.qkv"), params, "blocks.0.qkv_norm")
    return _cut(split_heads(qkv, num_heads), 8 // num_heads)


def _attended(rows: Array, params: Params, num_heads: int) -> Array:
    return merge_heads(attention_forward(*_qkv(rows, params, num_heads))[0])


def _mlp(rows: Array, params: Params) -> Array:
    weights, biases = ([params[f"mlp.{i}.{kind}"] for i in (0, 1)] for kind in ("weight", "bias"))
    return mlp_forward(rows, weights, biases)[0]


def _new(rows: Array, params: Params, num_heads: int) -> Array:
    m = _norm(rows + _attended(rows, params, num_heads), params, "blocks.0.attention_norm")
    return _norm(m + _mlp(m, params), params, "blocks.0.mlp_norm")


def _mlp_first(rows: Array, params: Params, num_heads: int) -> Array:
    m = _norm(rows + _mlp(rows, params), params, "blocks.0.mlp_norm")
    return _norm(m + _attended(m, params, num_heads), params, "blocks.0.attention_norm")


def parts_of_one_head(queries_keys_values: Function) -> None:
    """One head, four rows of eight features."""
    _parts(queries_keys_values, 1, None)


def parts_of_two_heads(queries_keys_values: Function) -> None:
    """Two heads."""
    _parts(queries_keys_values, 2, None)


def parts_with_other_keys(queries_keys_values: Function) -> None:
    """Two heads with keys of 5 features and values of 4."""
    _parts(queries_keys_values, 2, 5)


def _parts(function: Function, num_heads: int, key_size: int | None) -> None:
    params, rows = make_cell(num_heads, key_size).params, draw(BATCH, SLOTS + 1, 8)
    got = unpack(NAMES, function(rows, params, num_heads))
    right = _qkv(rows, params, num_heads)
    raw = _linear(rows, params, "blocks.0.qkv")
    normed = _norm(raw, params, "blocks.0.qkv_norm")
    no_norm = _cut(split_heads(raw, num_heads), 8 // num_heads)
    mixed = _cut(normed.reshape(BATCH, num_heads, SLOTS + 1, -1), 8 // num_heads)
    flat = tuple(split_heads(part, num_heads) for part in _cut(normed, 8))
    alone = tuple(_norm_alone(part) for part in no_norm)
    for at, name in enumerate(NAMES):
        others = {
            f"{name} is what {other} should be. The order is q, k, v, among each head's features and in what "
            f"is returned.": part
            for other, part in zip(NAMES, right)
            if other != name
        }
        compare(
            name,
            got[at],
            right[at],
            {
                "The layer norm blocks.0.qkv_norm is missing.": no_norm[at],
                f"{name} is cut out of all features at once. They are those of head 0 (q, k, v), then of "
                f"head 1: split_heads first, then cut each head's last axis.": flat[at],
                f"{name} is normalised by itself; the norm runs once, over all H (2K + V) features.": alone[
                    at
                ],
                "reshape alone cuts across the rows; use split_heads.": mixed[at],
                **others,
            },
            TOLERANCE,
        )


def _norm_alone(x: Array) -> Array:
    return layer_norm_forward(x, np.ones(x.shape[-1]), np.zeros(x.shape[-1]))[0]


def attention_with_residual(attention_block: Function) -> None:
    """Two heads, four rows."""
    _attention_block(attention_block, 2)


def attention_of_four_heads(attention_block: Function) -> None:
    """Four heads."""
    _attention_block(attention_block, 4)


def _attention_block(function: Function, num_heads: int) -> None:
    params, rows = make_cell(num_heads).params, draw(BATCH, SLOTS + 1, 8)
    attended, name = _attended(rows, params, num_heads), "blocks.0.attention_norm"
    parts = dict(zip(NAMES, _qkv(rows, params, num_heads)))
    unmerged, _ = attention_forward(*parts.values())
    normed = _norm(rows, params, name)
    orders = {
        f"attention_forward takes q, k and v in this order; it got {', '.join(order)}.": _norm(
            rows + merge_heads(attention_forward(*(parts[part] for part in order))[0]), params, name
        )
        for order in itertools.permutations(NAMES)
        if order != NAMES
    }
    try:
        got = function(rows, params, num_heads)
    except WrongAnswer as wrong:
        if f"({BATCH},{num_heads},{SLOTS + 1},{8 // num_heads})" in str(wrong):
            raise WrongAnswer(
                "The heads are not merged: merge_heads puts them side by side, (B, M, D). " + str(wrong)
            ) from wrong
        raise
    compare(
        "The result",
        got,
        _norm(rows + attended, params, name),
        {
            "The residual is missing: add the rows to what was attended.": _norm(attended, params, name),
            "The layer norm blocks.0.attention_norm is missing.": rows + attended,
            "The residual and the norm are missing: LN(rows + attention).": attended,
            "The norm comes before the sum; it should run over rows + attention.": (
                rows + _norm(attended, params, name),
                normed + attended,
                normed + _norm(attended, params, name),
            ),
            "The norm comes before the attention; here it comes last, LN(rows + ...).": (
                rows + _attended(normed, params, num_heads),
                normed + _attended(normed, params, num_heads),
                _norm(rows + _attended(normed, params, num_heads), params, name),
                _norm(normed + _attended(normed, params, num_heads), params, name),
            ),
            "The norm runs twice; once, over rows + attention.": _norm(
                _norm(rows + attended, params, name), params, name
            ),
            "That is the norm of the MLP; the attention's is blocks.0.attention_norm.": _norm(
                rows + attended, params, "blocks.0.mlp_norm"
            ),
            "reshape alone mixes up the rows of the heads; use merge_heads.": _norm(
                rows + unmerged.reshape(rows.shape), params, name
            ),
            **orders,
        },
        TOLERANCE,
    )


def mlp_with_residual(mlp_block: Function) -> None:
    """Four rows; the MLP sees each by itself."""
    params, rows = make_cell(2).params, draw(BATCH, SLOTS + 1, 8)
    transformed, name = _mlp(rows, params), "blocks.0.mlp_norm"
    normed = _norm(rows, params, name)
    compare(
        "The result",
        mlp_block(rows, params),
        _norm(rows + transformed, params, name),
        {
            "The residual is missing: add the rows to the MLP's result.": _norm(transformed, params, name),
            "The layer norm blocks.0.mlp_norm is missing.": rows + transformed,
            "The residual and the norm are missing: LN(rows + MLP(rows)).": transformed,
            "The norm comes before the sum; it should run over rows + MLP(rows).": (
                rows + _norm(transformed, params, name),
                normed + transformed,
                normed + _norm(transformed, params, name),
            ),
            "The norm comes before the MLP; here it comes last, LN(rows + ...).": (
                rows + _mlp(normed, params),
                normed + _mlp(normed, params),
                _norm(rows + _mlp(normed, params), params, name),
                _norm(normed + _mlp(normed, params), params, name),
            ),
            "The norm runs twice; once, over rows + MLP(rows).": _norm(
                _norm(rows + transformed, params, name), params, name
            ),
            "That is the norm of the attention; the MLP's is blocks.0.mlp_norm.": _norm(
                rows + transformed, params, "blocks.0.attention_norm"
            ),
            "The layers come in the wrong order: mlp.0 first, then mlp.1.": _norm(
                rows + _linear(np.maximum(_linear(rows, params, "mlp.1"), 0), params, "mlp.0"), params, name
            ),
            "There is a tanh between the two layers; it should be a ReLU.": _norm(
                rows + _linear(np.tanh(_linear(rows, params, "mlp.0")), params, "mlp.1"), params, name
            ),
            "There is a ReLU after the last layer; it stands only between the two.": _norm(
                rows + np.maximum(transformed, 0), params, name
            ),
            "The ReLU between the two layers is missing.": _norm(
                rows + _linear(_linear(rows, params, "mlp.0"), params, "mlp.1"), params, name
            ),
        },
        TOLERANCE,
    )


def step_of_one_head(step: Function) -> None:
    """One head, three slots, against the package's cell."""
    _step(step, 1, None)


def step_of_two_heads(step: Function) -> None:
    """Two heads with keys of 5 features, against the package's cell."""
    _step(step, 2, 5)


def _step(function: Function, num_heads: int, key_size: int | None) -> None:
    cell = make_cell(num_heads, key_size)
    x, memory, params = draw(BATCH, FEATURES), 2 * draw(BATCH, SLOTS, 8, seed=1), cell.params
    _, right = cell.forward(x, memory)
    x_proj = _linear(x, params, "input_projection")
    rows = np.concatenate([memory, x_proj[:, None]], axis=1)
    new = _new(rows, params, num_heads)[:, :SLOTS]
    shifted = _new(rows, params, num_heads)[:, 1:]
    first = _new(np.concatenate([x_proj[:, None], memory], axis=1), params, num_heads)[:, :SLOTS]
    transformed = _mlp_first(rows, params, num_heads)[:, :SLOTS]
    attended = _norm(rows + _attended(rows, params, num_heads), params, "blocks.0.attention_norm")[:, :SLOTS]
    of_input = _linear(x_proj, params, "gate_input")[:, None]

    def gated(
        seen: Array, candidate: Array = new, bias: float = 1.0, kept: Array = memory, input_bias: float = 0.0
    ) -> Array:
        logits = _linear(seen, params, "gate_memory") + of_input
        return gates_forward(logits, candidate, kept, input_bias, bias)[0]

    squashed = np.tanh(memory)
    try:
        got = function(x, memory, params, num_heads)
    except WrongAnswer as wrong:
        given = called(wrong, "gates_forward")
        shapes = [np.shape(given.get(name, ())) for name in ("logits", "new", "memory")]
        sizes = [(BATCH, SLOTS, 16), (BATCH, SLOTS, 8), (BATCH, SLOTS, 8)]
        if shapes[1] == (BATCH, SLOTS + 1, 8):
            raise WrongAnswer(INPUT_ROW) from wrong
        if given and shapes != sizes and sorted(shapes) == sorted(sizes):
            raise WrongAnswer(f"gates_forward takes logits, new, memory, in this order. {wrong}") from wrong
        if shapes[1] in ((BATCH - 1, SLOTS + 1, 8), (BATCH, SLOTS + 1, 7)):
            raise WrongAnswer(f"`new` has shape {shapes[1]}: drop the row on axis 1, [:, :-1].") from wrong
        raise
    if isinstance(got, np.ndarray) and got.shape == (BATCH, SLOTS + 1, 8):
        raise WrongAnswer(INPUT_ROW)
    compare(
        "The memory",
        got,
        right,
        {
            "`new` and `memory` are swapped: gates_forward takes logits, new, memory, in this order.": gated(
                squashed, candidate=memory, kept=new
            ),
            "The biases are swapped: gates_forward(..., input_bias=0.0, forget_bias=1.0).": gated(
                squashed, bias=0.0, input_bias=1.0
            ),
            "The input bias is 1; it is 0: gates_forward(..., input_bias=0.0, forget_bias=1.0).": (
                gated(squashed, input_bias=1.0),
                gated(squashed, input_bias=1.0, bias=2.0),
            ),
            "`new` goes through tanh twice; gates_forward takes it itself.": gated(squashed, np.tanh(new)),
            "The old memory goes through tanh; gates_forward takes the memory as it is.": gated(
                squashed, kept=squashed
            ),
            "The attention is missing: attention_block comes first, then mlp_block.": gated(
                squashed, _norm(rows + _mlp(rows, params), params, "blocks.0.mlp_norm")[:, :SLOTS]
            ),
            'The gates do not see the memory: add linear(np.tanh(memory), params, "gate_memory").': (
                gates_forward(np.repeat(of_input, SLOTS, axis=1), new, memory, 0.0, 1.0)[0]
            ),
            "The gates' two layers are exchanged: gate_memory is for the memory, gate_input for the input.": (
                gates_forward(
                    _linear(squashed, params, "gate_input") + _linear(x_proj, params, "gate_memory")[:, None],
                    new,
                    memory,
                    0.0,
                    1.0,
                )[0]
            ),
            "The MLP comes before the attention; it comes after: mlp_block(attention_block(...)).": gated(
                squashed, transformed
            ),
            "The MLP is missing: mlp_block comes after attention_block.": gated(squashed, attended),
            "The first slot was dropped in place of the input's row, which is the last: [:, :-1].": gated(
                squashed, shifted
            ),
            'The gates do not see the input: add linear(x_proj, params, "gate_input") to their logits.': (
                gates_forward(_linear(squashed, params, "gate_memory"), new, memory, 0.0, 1.0)[0]
            ),
            "The gates see tanh of the input too; only the memory goes through tanh.": gates_forward(
                _linear(squashed, params, "gate_memory")
                + _linear(np.tanh(x_proj), params, "gate_input")[:, None],
                new,
                memory,
                0.0,
                1.0,
            )[0],
            "The input row is not appended, so no slot can attend to it.": gated(
                squashed, _new(memory, params, num_heads)
            ),
            "The input row stands first, and the last slot was dropped: drop the input row.": gated(
                squashed, first
            ),
            "The gates are missing: this is what attention and MLP made of the memory.": new,
            "The forget bias is missing: gates_forward(..., forget_bias=1.0).": gated(squashed, bias=0.0),
            "The gates see the memory without tanh.": gated(memory),
            "The gates see the new memory; they look at the one before the step.": gated(np.tanh(new)),
        },
        TOLERANCE,
    )


def run_over_a_sequence(run: Function) -> None:
    """Four steps with two heads, against the package's core."""
    _run(run, 2)


def run_of_one_head(run: Function) -> None:
    """The same with one head."""
    _run(run, 1)


def _run(function: Function, num_heads: int) -> None:
    cell = make_cell(num_heads)
    core = RelationalMemory(FEATURES, SLOTS, head_size=8 // num_heads, num_heads=num_heads, seed=1)
    core.params.update(cell.params)
    inputs, memory = draw(BATCH, STEPS, FEATURES), draw(BATCH, SLOTS, 8, seed=1)
    outputs, last = core.forward(inputs, memory)
    try:
        returned = function(inputs, memory, core.params, num_heads)
    except WrongAnswer as wrong:
        if np.shape(called(wrong, "step").get("x", ())) == (STEPS, FEATURES):
            raise WrongAnswer(
                "`step` gets the whole sequence of one sample: inputs[t] is sample t, inputs[:, t] is step t "
                "of all samples."
            ) from wrong
        raise
    got = unpack(("outputs", "memory"), returned)
    afresh, from_zero = (
        np.stack([cell.forward(inputs[:, t], first)[0] for t in range(STEPS)], axis=1)
        for first in (memory, np.zeros_like(memory))
    )
    first_input, _ = core.forward(np.repeat(inputs[:, :1], STEPS, axis=1), memory)
    backward, _ = core.forward(inputs[:, ::-1], memory)
    compare(
        "outputs",
        got[0],
        outputs,
        {
            "Each step begins with the first memory again; it should go on from the one before.": afresh,
            "Each step begins with a memory of zeros; it should go on from the one before.": from_zero,
            "The memory never changes: keep what `step` returns, memory = step(...).": np.repeat(
                memory.reshape(BATCH, 1, -1), STEPS, axis=1
            ),
            "Each step sees the first input; step t sees inputs[:, t].": first_input,
            "The steps run from the last to the first.": backward,
            "There is the first step alone: `return` stands inside the loop; it belongs behind it.": outputs[
                :, :1
            ],
            "There is the last step alone: `outputs = []` stands before the loop, not in it.": outputs[
                :, -1:
            ],
            "The outputs are time first; stack them along axis 1, (B, T, N D).": outputs.swapaxes(0, 1),
            "These are the memories before each step; an output is the memory after it.": np.concatenate(
                [memory.reshape(BATCH, 1, -1), outputs[:, :-1]], axis=1
            ),
        },
        TOLERANCE,
    )
    compare("memory", got[1], last, {"That is the memory before the first step.": memory}, TOLERANCE)


def sizes_of_the_small_core(small_core: Function) -> None:
    """Seven features, then five: 4 slots, one head of 32 features, float32."""
    for features in (FEATURES + 2, FEATURES):
        core = small_core(features, 0)
        if not isinstance(core, RelationalMemory):
            kind = type(core)
            names = "RelationalMemory", kind.__name__
            if names[0] == names[1]:  # torch's has the same name
                names = f"relational_rnn.reference.{names[0]}", f"{kind.__module__}.{names[1]}"
            raise WrongAnswer(f"It must return a {names[0]}, got a {names[1]}.")
        wanted = {"input_size": features, "mem_slots": 4, "num_heads": 1, "head_size": 32}
        for name, size in wanted.items():
            if (got := getattr(core.config, name)) != size:
                raise WrongAnswer(f"The core has another size than asked for: {name} is {got}, not {size}.")
    if core.dtype != np.float32:
        raise WrongAnswer("The core is float64; float32 trains faster: dtype=np.float32.")
    if np.array_equal(core.params["mlp.0.weight"], small_core(FEATURES, 1).params["mlp.0.weight"]):
        raise WrongAnswer("Two seeds give the same weights: pass the seed on.")


PARTS: Final = (
    Part("queries_keys_values", (parts_of_one_head, parts_of_two_heads, parts_with_other_keys)),
    Part("attention_block", (attention_with_residual, attention_of_four_heads)),
    Part("mlp_block", (mlp_with_residual,)),
    Part("step", (step_of_one_head, step_of_two_heads)),
    Part("run", (run_over_a_sequence, run_of_one_head)),
    Part("small_core", (sizes_of_the_small_core,)),
)
