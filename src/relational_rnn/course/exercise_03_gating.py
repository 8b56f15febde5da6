"""The checks of exercise 3: sigmoid, gates, what the forget bias does."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare
from relational_rnn.reference.activations import sigmoid_forward
from relational_rnn.reference.gates import gates_forward

BATCH, SLOTS, WIDTH = 2, 3, 4


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def sigmoid_of_numbers(sigmoid: Function) -> None:
    """The numbers -1, 0 and 2."""
    x = np.array([-1.0, 0.0, 2.0])
    compare(
        "The result",
        sigmoid(x),
        1 / (1 + np.exp(-x)),
        {
            "The sign is the other way round: 1 / (1 + exp(-x)).": 1 / (1 + np.exp(x)),
            "That is tanh, which runs from -1 to 1.": np.tanh(x),
            "That runs from -1 to 1, as tanh does: 0.5 * (1 + tanh(x / 2)).": np.tanh(x / 2),
            "It is too steep: tanh takes half of x, 0.5 * (1 + tanh(x / 2)).": 0.5 * (1 + np.tanh(x)),
            "It runs from 0 to 2; half of it is asked for, 0.5 * (1 + tanh(x / 2)).": 1 + np.tanh(x / 2),
            "It runs from -0.5 to 0.5: the 1 is missing in 0.5 * (1 + tanh(x / 2)).": 0.5 * np.tanh(x / 2),
            "It runs from -0.5 to 1.5: brackets are missing in 0.5 * (1 + tanh(x / 2)).": 0.5
            + np.tanh(x / 2),
            "Brackets are missing: 1 / (1 + exp(-x)), not 1 / 1 + exp(-x).": 1 + np.exp(-x),
            "The denominator is 1 plus exp(-x), not minus.": _over(1 - np.exp(-x)),
            "That is a softmax, whose sum over all numbers is 1; a sigmoid takes each by itself.": np.exp(x)
            / np.exp(x).sum(),
        },
    )


def _over(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(1 / x)


def sigmoid_of_large_numbers(sigmoid: Function) -> None:
    """The numbers -1000 and 1000: 0 and 1, and nothing overflows."""
    result = sigmoid(np.array([-1000.0, 1000.0]))
    if isinstance(result, np.ndarray) and np.isnan(result).any():
        raise WrongAnswer(
            "infinity / infinity is NaN: exp of a large number is infinite. 0.5 * (1 + tanh(x / 2)) is the "
            "same function and never overflows."
        )
    compare("The result", result, np.array([0.0, 1.0]))
    try:
        with np.errstate(over="raise"):
            sigmoid(np.array([-1000.0, 1000.0]))
    except FloatingPointError as wrong:
        raise WrongAnswer(
            "exp(1000) overflows: NumPy warns, and the result is right by luck. 0.5 * (1 + tanh(x / 2)) is "
            "the same function and never overflows."
        ) from wrong


def _params(gates: int, seed: int = 5) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    shapes = {"weight": (2 * gates, WIDTH), "bias": (2 * gates,)}
    return {
        f"{layer}.{kind}": generator.standard_normal(shape)
        for layer in ("gate_memory", "gate_input")
        for kind, shape in shapes.items()
    }


def logits_of_unit_gates(gate_logits: Function) -> None:
    """Unit gates, three slots of four features: logits (2, 3, 8)."""
    _logits(gate_logits, WIDTH)


def logits_of_memory_gates(gate_logits: Function) -> None:
    """Memory gates, two logits for each slot: (2, 3, 2)."""
    _logits(gate_logits, 1)


def _logits(gate_logits: Function, gates: int) -> None:
    memory, x, params = 2 * draw(BATCH, SLOTS, WIDTH), draw(BATCH, WIDTH, seed=1), _params(gates)
    weight, bias = params["gate_memory.weight"], params["gate_memory.bias"]
    other = params["gate_input.weight"]
    of_input = (x @ params["gate_input.weight"].T + params["gate_input.bias"])[:, None]
    of_memory = np.tanh(memory) @ weight.T + bias
    no_bias = of_memory - bias + of_input - params["gate_input.bias"]
    squeezed = np.tanh(x) @ params["gate_input.weight"].T + params["gate_input.bias"]
    compare(
        "The result",
        gate_logits(memory, x, params),
        of_memory + of_input,
        {
            "The memory enters without tanh, which keeps the gates' input in -1..1.": memory @ weight.T
            + bias
            + of_input,
            "The input goes through tanh as well; only the memory does.": of_memory + squeezed[:, None],
            "The tanh is on the input; it belongs on the memory.": memory @ weight.T
            + bias
            + squeezed[:, None],
            "The tanh stands around the memory's layer; it belongs on the memory, linear(tanh(memory)).": (
                np.tanh(memory @ weight.T + bias) + of_input,
                np.tanh(of_memory) + of_input,
            ),
            "The logits go through tanh once more; only the memory does.": np.tanh(of_memory + of_input),
            "That is the gates already; the sigmoid comes later, in gated_update.": sigmoid_forward(
                of_memory + of_input
            )[0],
            "The two layers are exchanged: gate_memory is for the memory, gate_input for the input.": (
                np.tanh(memory) @ other.T + (x @ weight.T)[:, None] + bias + params["gate_input.bias"]
            ),
            "The input goes through gate_memory.weight; gate_input.weight is for it.": of_memory
            + (x @ weight.T + params["gate_input.bias"])[:, None],
            "The memory goes through gate_input.weight; gate_memory.weight is for it.": np.tanh(memory)
            @ other.T
            + bias
            + of_input,
            "gate_memory.bias is added twice; the input's layer has a bias of its own.": of_memory
            + of_input
            - params["gate_input.bias"]
            + bias,
            "The biases are missing: both layers have one.": no_bias,
            "The bias of the memory's layer is missing: gate_memory.bias.": of_memory - bias + of_input,
            "The bias of the input's layer is missing: gate_input.bias.": of_memory
            + of_input
            - params["gate_input.bias"],
            "The input is missing: the gates look at the memory and at the input.": of_memory,
            "The memory is missing: the gates look at the memory and at the input.": np.repeat(
                of_input, SLOTS, axis=1
            ),
        },
    )


def update_with_unit_gates(gated_update: Function) -> None:
    """Unit gates without biases: every feature has its own."""
    _update(gated_update, WIDTH, 0.0, 0.0)


def update_with_memory_gates(gated_update: Function) -> None:
    """Memory gates: one number decides for a whole slot."""
    _update(gated_update, 1, 0.0, 0.0)


def update_with_biases(gated_update: Function) -> None:
    """An input bias of -0.5 and a forget bias of 2."""
    _update(gated_update, WIDTH, -0.5, 2.0)


def update_by_default(gated_update: Function) -> None:
    """No biases given: the input bias is 0, the forget bias 1."""
    memory, new = draw(BATCH, SLOTS, WIDTH), draw(BATCH, SLOTS, WIDTH, seed=1)
    logits = draw(BATCH, SLOTS, 2 * WIDTH, seed=2)

    def fixed(input_bias: float, forget_bias: float) -> Array:
        return gates_forward(logits, new, memory, input_bias, forget_bias)[0]

    compare(
        "The result",
        gated_update(memory, new, logits),
        fixed(0.0, 1.0),
        {
            "The forget bias is 0 by default; keep the starter's 1.0.": fixed(0.0, 0.0),
            "The input bias is 1 by default; keep the starter's 0.0.": (fixed(1.0, 1.0), fixed(1.0, 0.0)),
        },
    )


def _update(function: Function, gates: int, input_bias: float, forget_bias: float) -> None:
    memory, new = 2 * draw(BATCH, SLOTS, WIDTH), 2 * draw(BATCH, SLOTS, WIDTH, seed=1)
    logits = draw(BATCH, SLOTS, 2 * gates, seed=2)
    right, _ = gates_forward(logits, new, memory, input_bias, forget_bias)
    i, f = logits[..., :gates], logits[..., gates:]
    swapped, _ = gates_forward(np.concatenate([f, i], axis=-1), new, memory, input_bias, forget_bias)
    crossed, _ = gates_forward(logits, new, memory, forget_bias, input_bias)
    unbiased, _ = gates_forward(logits, new, memory, 0.0, 0.0)
    no_input, _ = gates_forward(logits, new, memory, 0.0, forget_bias)
    no_forget, _ = gates_forward(logits, new, memory, input_bias, 0.0)
    exchanged, _ = gates_forward(logits, memory, new, input_bias, forget_bias)
    take, keep = sigmoid_forward(i + input_bias)[0], sigmoid_forward(f + forget_bias)[0]
    late_take, late_keep = sigmoid_forward(i)[0] + input_bias, sigmoid_forward(f)[0] + forget_bias
    added = np.tanh(new)
    every_other = np.concatenate([logits[..., ::2], logits[..., 1::2]], axis=-1)

    def fixed(input_bias: float, forget_bias: float) -> Array:
        return gates_forward(logits, new, memory, input_bias, forget_bias)[0]

    compare(
        "The result",
        function(memory, new, logits, input_bias, forget_bias),
        right,
        {
            "The halves are swapped: i is the first half of the last axis, f the second.": swapped,
            "The biases are swapped: input_bias belongs to i, forget_bias to f.": crossed,
            "i and f are taken from every other column; they are the two halves of the last axis.": (
                gates_forward(every_other, new, memory, input_bias, forget_bias)[0]
            ),
            "forget_bias is 1 whatever is asked for; add the argument.": fixed(input_bias, 1.0),
            "input_bias is 1 whatever is asked for; add the argument.": fixed(1.0, forget_bias),
            "The biases are subtracted; add them.": fixed(-input_bias, -forget_bias),
            "The biases have no effect.": unbiased,
            "input_bias has no effect: it is added to i before the sigmoid.": no_input,
            "forget_bias has no effect: it is added to f before the sigmoid.": no_forget,
            "The biases are added after the sigmoid; they belong inside it.": late_take * added
            + late_keep * memory,
            "input_bias is added after the sigmoid; it belongs inside: sigmoid(i + input_bias).": late_take
            * added
            + keep * memory,
            "forget_bias is added after the sigmoid; it belongs inside: sigmoid(f + forget_bias).": take
            * added
            + late_keep * memory,
            "`memory` and `new` are swapped: i takes of tanh(new), f keeps of the memory.": exchanged,
            "`new` enters without tanh.": take * new + keep * memory,
            "`new` goes through the sigmoid; it goes through tanh.": take * sigmoid_forward(new)[0]
            + keep * memory,
            "The input gate is missing: sigmoid(i + input_bias) is a factor of tanh(new).": added
            + keep * memory,
            "The forget gate is missing: sigmoid(f + forget_bias) is a factor of the memory.": take * added
            + memory,
            "The forget gate is the other way round: 1 keeps the memory, 0 forgets it.": take * added
            + (1 - keep) * memory,
            "The tanh stands around the sum; it belongs on `new` alone.": (
                np.tanh(take * new + keep * memory),
                np.tanh(right),
            ),
            "The old memory goes through tanh, at every step anew; it should enter as it is.": take * added
            + keep * np.tanh(memory),
            "The forget gate is 1 - i. Here the two gates are independent, as in an LSTM.": take * added
            + (1 - take) * memory,
            "The input gate is 1 - f. Here the two gates are independent, as in an LSTM.": (1 - keep) * added
            + keep * memory,
            "The logits are used as gates; take their sigmoid.": (i + input_bias) * added
            + (f + forget_bias) * memory,
        },
    )


def parameters(gate_parameters: Function) -> None:
    """Each style at widths 12 and 5, against the parameters of the package's core."""
    for style, width in itertools.product(("unit", "memory", "none"), (12, 5)):
        config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=width, gate_style=style)
        shapes = {name: shape for name, shape in parameter_shapes(config).items() if name.startswith("gate_")}
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        weights = sum(size for name, size in sizes.items() if name.endswith("weight"))
        total = sum(sizes.values())
        gates = {"unit": width, "memory": 1, "none": 0}[style]
        other = {"unit": 1, "memory": width, "none": 0}[style]
        compare(
            f"The number for {style!r} and width {width}",
            gate_parameters(style, width),
            total,
            {
                f"{style!r}: the biases are missing.": weights,
                f"{style!r}: a layer has 2G outputs, and so 2G biases; D is how many inputs it has.": weights
                + 4 * width,
                f"{style!r}: G is {gates} here: D gates a slot where each feature has its own, one where the "
                f"slot has.": 4 * other * (width + 1),
                f"{style!r}: that is half. Two layers, of memory and of input, make two gates each.": total
                / 2,
            },
        )


def what_is_left(retention: Function) -> None:
    """Biases of 0, 1 and 3, over 0, 1 and 8 steps."""
    for bias, steps in ((0.0, 1), (1.0, 8), (3.0, 8), (3.0, 0)):
        gate = 1 / (1 + math.exp(-bias))
        compare(
            f"retention({bias}, {steps})",
            retention(bias, steps),
            gate**steps,
            {
                "One step is missing: T steps multiply T times.": gate ** (steps - 1),
                "The gate is taken times the number of steps; each step multiplies by it once more.": gate
                * steps,
                "The bias is not a gate yet: take its sigmoid.": bias**steps,
                "That is the gate of a single step.": gate,
                "The bias is taken times the number of steps; it is the gate that is raised to a power.": (
                    1 / (1 + math.exp(-bias * steps))
                ),
                "That is the share that is lost.": 1 - gate**steps,
                "The gate is the other way round: sigmoid(bias) is kept, 1 - sigmoid(bias) is lost.": (
                    1 - gate
                )
                ** steps,
            },
        )


def bias_for_a_share(forget_bias_for: Function) -> None:
    """Half of the memory after 1 step, nine tenths after 100."""
    for share, steps in ((0.5, 1), (0.5, 10), (0.9, 100)):
        gate = share ** (1 / steps)
        compare(
            f"forget_bias_for({share}, {steps})",
            forget_bias_for(share, steps),
            math.log(gate / (1 - gate)),
            {
                "That is the gate g. The bias is its inverse sigmoid, log(g / (1 - g)).": gate,
                "The share is used as the gate of one step; over T steps it is g ** T.": math.log(
                    share / (1 - share)
                ),
                "The share is divided by T; the gate is its T-th root, share ** (1 / T).": math.log(
                    share / steps / (1 - share / steps)
                ),
                "That is log(g); the inverse sigmoid is log(g / (1 - g)).": math.log(gate),
                "The fraction is upside down: log(g / (1 - g)).": math.log((1 - gate) / gate),
            },
        )


PARTS: Final = (
    Part("sigmoid", (sigmoid_of_numbers, sigmoid_of_large_numbers)),
    Part("gate_logits", (logits_of_unit_gates, logits_of_memory_gates)),
    Part(
        "gated_update",
        (update_with_unit_gates, update_with_memory_gates, update_with_biases, update_by_default),
    ),
    Part("gate_parameters", (parameters,)),
    Part("retention", (what_is_left,)),
    Part("forget_bias_for", (bias_for_a_share,)),
)
