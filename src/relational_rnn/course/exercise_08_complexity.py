"""The checks of exercise 8: counted operations, and how a time grows with the length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.course.checking import Function, Part, compare
from relational_rnn.reference import LSTM

STEPS, INPUTS, SLOTS, WIDTH = 7, 5, 3, 6
TWICE: Final = "It is twice as large: a multiplication and the addition after it count as one here."


def lstm(lstm_cost: Function) -> None:
    """Seven steps of 5 inputs, width 6, against the weights of the package's LSTM."""
    weights = sum(value.size for value in LSTM(INPUTS, WIDTH).params.values() if value.ndim == 2)
    compare(
        "The count",
        lstm_cost(STEPS, INPUTS, WIDTH),
        STEPS * weights,
        {
            TWICE: 2 * STEPS * weights,
            "That is a single step.": weights,
            "That is one gate; there are three, and the candidate.": STEPS * weights / 4,
            "That is three gates; the candidate has two matrices as well.": STEPS * weights * 3 / 4,
            "The products with the hidden state are missing.": STEPS * 4 * WIDTH * INPUTS,
            "The products with the input are missing.": STEPS * 4 * WIDTH * WIDTH,
        },
    )


def attention(attention_cost: Function) -> None:
    """Five queries, seven keys, width 6."""
    half = 5 * 7 * WIDTH
    compare(
        "The count",
        attention_cost(5, 7, WIDTH),
        2 * half,
        {
            "Half of it is missing: there are two products, queries with keys and weights with values.": half,
            TWICE: 4 * half,
            "The width is missing: a score is a dot product of D features.": 2 * 5 * 7,
        },
    )


def core(core_cost: Function) -> None:
    """Seven steps of 5 inputs, 3 slots, width 6, against the weights of the package's core."""
    config = RelationalMemoryConfig(input_size=INPUTS, mem_slots=SLOTS, head_size=3, num_heads=2)
    rows = SLOTS + 1
    served = dict.fromkeys(("input_projection", "gate_input"), 1) | {
        "gate_memory": SLOTS
    }  # others: every row

    def count(rows: int, served: dict[str, int], seen: int) -> int:
        weights = {
            name.removesuffix(".weight"): math.prod(shape)
            for name, shape in parameter_shapes(config).items()
            if len(shape) == 2
        }
        products = sum(size * served.get(name, rows) for name, size in weights.items())
        return STEPS * (products + 2 * seen**2 * WIDTH)

    right = count(rows, served, rows)
    compare(
        "The count",
        core_cost(STEPS, INPUTS, SLOTS, WIDTH),
        right,
        {
            TWICE: 2 * right,
            "That is a single step.": right / STEPS,
            "The input's row is missing: N + 1 rows are projected, attend and go through the MLP.": count(
                SLOTS, served, SLOTS
            ),
            "The projection of the input is missing, F by D.": right - STEPS * INPUTS * WIDTH,
            "The attention is missing: N + 1 queries with as many keys, twice.": count(rows, served, 0),
            "2 D² for each of N + 1 rows are missing at every step. That is what the MLP costs, and what "
            "both gates' layers cost together.": right - STEPS * rows * 2 * WIDTH**2,
            "The gates' layer of the input runs once a step, not for every slot; they share it.": count(
                rows, served | {"gate_input": SLOTS}, rows
            ),
            "The gates' layer of the memory runs for the N slots; the input's row has no gates.": count(
                rows, served | {"gate_memory": rows}, rows
            ),
        },
    )


def _transformer(steps: int, projections: int = 4, mlp: int = 8, products: int = 2) -> int:
    return steps * (projections + mlp) * WIDTH**2 + products * steps**2 * WIDTH


def transformer(transformer_cost: Function) -> None:
    """Seven rows of width 6."""
    right = _transformer(STEPS)
    compare(
        "The count",
        transformer_cost(STEPS, WIDTH),
        right,
        {
            TWICE: 2 * right,
            "The projection of the result is missing: queries, keys, values and output make four.": (
                _transformer(STEPS, projections=3)
            ),
            "That is 8 D² for each row. The MLP alone has 8, D to 4 D and back; the four projections have 4 "
            "more.": _transformer(STEPS, projections=0),
            "The MLP is missing: D to 4 D and back.": _transformer(STEPS, mlp=0),
            "The attention is missing.": _transformer(STEPS, products=0),
            "The hidden features of the MLP are 4 D, not D.": _transformer(STEPS, mlp=2),
        },
    )


def recomputed(recomputed_cost: Function) -> None:
    """Seven rows of width 6, one at a time."""
    compare(
        "The count",
        recomputed_cost(STEPS, WIDTH),
        sum(_transformer(step) for step in range(1, STEPS + 1)),
        {
            "Each step is counted as the last one; at step t there are only t rows.": STEPS
            * _transformer(STEPS),
            "The last step is missing: t runs from 1 to T.": sum(_transformer(step) for step in range(STEPS)),
            "That is the whole sequence at once, each row computed once.": _transformer(STEPS),
        },
    )


def cached(cached_cost: Function) -> None:
    """Seven rows of width 6, with a cache."""

    def count(keys: Callable[[int], int]) -> int:
        return STEPS * 12 * WIDTH**2 + sum(2 * keys(step) * WIDTH for step in range(1, STEPS + 1))

    compare(
        "The count",
        cached_cost(STEPS, WIDTH),
        count(lambda step: step),
        {
            "At step t the query meets t keys, not T: the later ones have not come.": count(
                lambda step: STEPS
            ),
            "The row's own key is missing: at step t there are t keys.": count(lambda step: step - 1),
            "All t queries are counted at step t; only the new row asks.": count(lambda step: step**2),
            "The projections are counted for all t rows; only the new row goes through the matrices.": sum(
                step * 12 * WIDTH**2 + 2 * step * WIDTH for step in range(1, STEPS + 1)
            ),
        },
    )


def states(state_size: Function) -> None:
    """Each model after 7 and after 14 steps, 3 slots, width 6."""
    for steps in (STEPS, 2 * STEPS):
        compare(
            f"The LSTM's numbers after {steps} steps",
            state_size("lstm", steps, SLOTS, WIDTH),
            2 * WIDTH,
            {"An LSTM keeps two vectors, hidden state and cell.": WIDTH},
        )
        compare(
            f"The core's numbers after {steps} steps",
            state_size("core", steps, SLOTS, WIDTH),
            SLOTS * WIDTH,
            {
                "The input's row is not kept; the memory is N slots.": (SLOTS + 1) * WIDTH,
                "The core keeps one memory, no cell beside it: what it puts out is the memory.": 2
                * SLOTS
                * WIDTH,
            },
        )
        compare(
            f"The Transformer's numbers after {steps} steps",
            state_size("transformer", steps, SLOTS, WIDTH),
            2 * steps * WIDTH,
            {
                "A key and a value are kept for every row.": steps * WIDTH,
                "The queries need not be kept: a past row never asks again.": 3 * steps * WIDTH,
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
        ([9, 9, 9, 9, 9], 0, {"There is none, so the result should be 0.": 5}),
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
