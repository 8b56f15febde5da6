"""The checks of exercise 8: counted operations, and how a time grows with the length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.course.checking import Function, Part, compare
from relational_rnn.reference import LSTM

SIZES: Final = ((7, 5, 3, 10), (4, 9, 2, 8))
"""Steps, inputs, slots and width that the counts are held against; each mistake has a count of its own."""
TWICE: Final = "It is twice as large: a multiplication and the addition after it count as one here."


def lstm(lstm_cost: Function) -> None:
    """Seven steps of 5 inputs, width 10, then four of 9, width 8, against the package's LSTM."""
    for steps, inputs, _, width in SIZES:
        weights = sum(value.size for value in LSTM(inputs, width).params.values() if value.ndim == 2)
        compare(
            f"lstm_cost({steps}, {inputs}, {width})",
            lstm_cost(steps, inputs, width),
            steps * weights,
            {
                TWICE: 2 * steps * weights,
                "That is a single step.": weights,
                "That is one gate; there are three, and the candidate.": steps * weights / 4,
                "That is three gates; the candidate has two matrices as well.": steps * weights * 3 / 4,
                "The products with the hidden state are missing.": steps * 4 * width * inputs,
                "The products with the input are missing.": steps * 4 * width * width,
            },
        )


def attention(attention_cost: Function) -> None:
    """Five queries, seven keys, width 6; nine queries, four keys, width 8."""
    for queries, keys, width in ((5, 7, 6), (9, 4, 8)):
        one = queries * keys * width
        compare(
            f"attention_cost({queries}, {keys}, {width})",
            attention_cost(queries, keys, width),
            2 * one,
            {
                "Half of it is missing: there are two products, queries with keys and weights with values.": (
                    one
                ),
                TWICE: 4 * one,
                "The width is missing: a score is a dot product of D features.": 2 * queries * keys,
            },
        )


def core(core_cost: Function) -> None:
    """Steps, inputs, slots, width 7, 5, 3, 10 and 4, 9, 2, 8, against the package's core."""
    for steps, inputs, slots, width in SIZES:
        _core(core_cost, steps, inputs, slots, width)


def _core(core_cost: Function, steps: int, inputs: int, slots: int, width: int) -> None:
    config = RelationalMemoryConfig(input_size=inputs, mem_slots=slots, head_size=width // 2, num_heads=2)
    rows = slots + 1
    served = dict.fromkeys(("input_projection", "gate_input"), 1) | {
        "gate_memory": slots
    }  # others: every row

    def count(rows: int, served: dict[str, int], seen: int) -> int:
        weights = {
            name.removesuffix(".weight"): math.prod(shape)
            for name, shape in parameter_shapes(config).items()
            if len(shape) == 2
        }
        products = sum(size * served.get(name, rows) for name, size in weights.items())
        return steps * (products + 2 * seen**2 * width)

    right = count(rows, served, rows)
    compare(
        f"core_cost({steps}, {inputs}, {slots}, {width})",
        core_cost(steps, inputs, slots, width),
        right,
        {
            TWICE: 2 * right,
            "That is a single step.": right / steps,
            "The input's row is missing: N + 1 rows are projected, attend and go through the MLP.": count(
                slots, served, slots
            ),
            "The projection of the input is missing, F by D.": right - steps * inputs * width,
            "The attention is missing: N + 1 queries with as many keys, twice.": count(rows, served, 0),
            "2 D² for each of N + 1 rows are missing at every step. That is what the MLP costs, and what "
            "both gates' layers cost together.": right - steps * rows * 2 * width**2,
            "D² for each of N + 1 rows is missing at every step: the MLP has two layers, and queries, keys "
            "and values take three D².": right - steps * rows * width**2,
            "The gates' layer of the input runs once a step, not for every slot; they share it.": count(
                rows, served | {"gate_input": slots}, rows
            ),
            "The gates' layer of the memory runs for the N slots; the input's row has no gates.": count(
                rows, served | {"gate_memory": rows}, rows
            ),
        },
    )


def _transformer(steps: int, width: int, projections: int = 4, mlp: int = 8, products: int = 2) -> int:
    return steps * (projections + mlp) * width**2 + products * steps**2 * width


def transformer(transformer_cost: Function) -> None:
    """Seven rows of width 10; four of width 8."""
    for steps, _, _, width in SIZES:
        right = _transformer(steps, width)
        compare(
            f"transformer_cost({steps}, {width})",
            transformer_cost(steps, width),
            right,
            {
                TWICE: 2 * right,
                "The projection of the result is missing: queries, keys, values and output make four.": (
                    _transformer(steps, width, projections=3)
                ),
                "That is 8 D² for each row. The MLP alone has 8, D to 4 D and back; the four projections "
                "have 4 more.": _transformer(steps, width, projections=0),
                "The MLP is missing: D to 4 D and back.": _transformer(steps, width, mlp=0),
                "That is about half of the attention. A mask hides results and saves nothing here: T queries "
                "meet T keys, in two products.": (
                    _transformer(steps, width, products=1),
                    _transformer(steps, width, products=0) + steps * (steps + 1) * width,
                ),
                "The attention is missing.": _transformer(steps, width, products=0),
                "The hidden features of the MLP are 4 D, not D.": _transformer(steps, width, mlp=2),
            },
        )


def recomputed(recomputed_cost: Function) -> None:
    """Seven rows of width 10, one at a time; four of width 8."""
    for steps, _, _, width in SIZES:
        compare(
            f"recomputed_cost({steps}, {width})",
            recomputed_cost(steps, width),
            sum(_transformer(step, width) for step in range(1, steps + 1)),
            {
                "Each step is counted as the last one; at step t there are only t rows.": steps
                * _transformer(steps, width),
                "The last step is missing: t runs from 1 to T.": sum(
                    _transformer(step, width) for step in range(steps)
                ),
                "That is the whole sequence at once, each row computed once.": _transformer(steps, width),
            },
        )


def cached(cached_cost: Function) -> None:
    """Seven rows of width 10, with a cache; four of width 8."""
    for steps, _, _, width in SIZES:
        _cached(cached_cost, steps, width)


def _cached(cached_cost: Function, steps: int, width: int) -> None:
    def count(keys: Callable[[int], int]) -> int:
        return steps * 12 * width**2 + sum(2 * keys(step) * width for step in range(1, steps + 1))

    compare(
        f"cached_cost({steps}, {width})",
        cached_cost(steps, width),
        count(lambda step: step),
        {
            "At step t the query meets t keys, not T: the later ones have not come.": count(
                lambda step: steps
            ),
            "The row's own key is missing: at step t there are t keys.": count(lambda step: step - 1),
            "All t queries are counted at step t; only the new row asks.": count(lambda step: step**2),
            "The projections are counted for all t rows; only the new row goes through the matrices.": sum(
                step * 12 * width**2 + 2 * step * width for step in range(1, steps + 1)
            ),
        },
    )


def states(state_size: Function) -> None:
    """Each model after 7 steps, 3 slots, width 10; after 4 steps, 2 slots, width 8."""
    for steps, _, slots, width in SIZES:
        compare(
            f"The LSTM's numbers after {steps} steps",
            state_size("lstm", steps, slots, width),
            2 * width,
            {"An LSTM keeps two vectors, hidden state and cell.": width},
        )
        compare(
            f"The core's numbers after {steps} steps",
            state_size("core", steps, slots, width),
            slots * width,
            {
                "The input's row is not kept; the memory is N slots.": (slots + 1) * width,
                "The core keeps one memory, no cell beside it: what it puts out is the memory.": 2
                * slots
                * width,
            },
        )
        compare(
            f"The Transformer's numbers after {steps} steps",
            state_size("transformer", steps, slots, width),
            2 * steps * width,
            {
                "A key and a value are kept for every row.": steps * width,
                "The queries need not be kept: a past row never asks again.": 3 * steps * width,
            },
        )


def first_of_several(first_cheaper: Function) -> None:
    """Costs that touch and cross twice, that cross at the last length, that never cross."""
    cases = (
        (
            [5, 9, 3, 9, 3],
            3,
            {
                "That is the last such length; the first is asked for.": 5,
                "At that length both cost the same; it should cost less.": 1,
            },
        ),
        ([9, 9, 9, 9, 4], 5, {"The longest length is left out; it counts too.": 0}),
        ([9, 9, 9], 0, {"There is none, so the result should be 0.": 3}),
    )
    for costs, right, mistakes in cases:

        def one(steps: int, costs: list[int] = costs) -> int:
            if not 1 <= steps <= len(costs):
                raise ValueError(f"T runs from 1 to {len(costs)}, got {steps}")
            return costs[steps - 1]

        compare("The length", first_cheaper(one, lambda steps: 5, len(costs)), right, mistakes)


def slopes(growth: Function) -> None:
    """Exact powers 1 and 2, then times that follow no power exactly."""
    lengths = np.array([16.0, 32.0, 64.0, 128.0])
    for power in (1.0, 2.0):
        seconds = 3e-4 * lengths**power
        compare(
            f"The growth of T**{power:.0f}",
            growth(lengths, seconds),
            power,
            {
                "That is the slope of the times themselves; take logarithms of both first.": np.polyfit(
                    lengths, seconds, 1
                )[0],
                "Only the times are logarithms; take that of the lengths too.": np.polyfit(
                    lengths, np.log(seconds), 1
                )[0],
                "The line is forced through 0, as if c were 1; fit the intercept too.": (
                    np.log(lengths) @ np.log(seconds) / (np.log(lengths) @ np.log(lengths))
                ),
                "The slope is the other way round: log(seconds) over log(lengths).": 1 / power,
                "That is the intercept, log(c).": math.log(3e-4),
            },
        )
    seconds = np.array([1.0, 1.5, 4.0, 16.0])
    right = float(np.polyfit(np.log(lengths), np.log(seconds), 1)[0])
    ends = math.log(16) / math.log(8)
    compare(
        "The growth",
        growth(lengths, seconds),
        right,
        {"That uses the first and the last point alone; fit a line to all of them.": ends},
    )


PARTS: Final = (
    Part("lstm_cost", (lstm,)),
    Part("attention_cost", (attention,)),
    Part("core_cost", (core,)),
    Part("transformer_cost", (transformer,)),
    Part("recomputed_cost", (recomputed,)),
    Part("cached_cost", (cached,)),
    Part("state_size", (states,)),
    Part("first_cheaper", (first_of_several,)),
    Part("growth", (slopes,)),
)
