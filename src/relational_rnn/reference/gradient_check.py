"""Every hand-written gradient held against central differences, and against itself on a split sequence."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_size
from relational_rnn.reference.arrays import Array, make_generator
from relational_rnn.reference.gradient_problem import (
    Model,
    analytic_gradients,
    draw_problem,
    from_own_start,
    passes_of,
    problem_loss,
)
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.memory import RelationalMemory
from relational_rnn.reference.relational_rnn import RelationalRNN

TOLERANCE: Final = 1e-7
"""Allowed against central differences, as a share of max(1, largest gradient of the array)."""

SAME_TOLERANCE: Final = 1e-10
"""Allowed between two ways to compute the same gradient, which differ by rounding alone; the same share."""

STEP: Final = 3e-5
"""Rounding costs about 1e-16 |f| / STEP, a bend of the function STEP⁴ times its fifth derivative."""

_STENCILS: Final = (
    (-2, np.array([1, -8, 0, 8, -1]) / 12),
    (0, np.array([-25, 48, -36, 16, -3]) / 12),
    (-4, np.array([3, -16, 36, -48, 25]) / 12),
)
"""First of five points, and the weights of the values there: the slope at point 0, exact to fourth order."""

_BEND: Final = np.array([1, -4, 6, -4, 1])
"""The fourth difference of five values: next to nothing on a smooth curve, of the step's order at a kink."""

_EPSILON: Final = float(np.finfo(np.float64).eps)


class GradientCheck(NamedTuple):
    """How one array's gradient compares.

    Example:
        >>> check = GradientCheck("mlp.0.bias", (8,), 8, largest=0.5, difference=2e-9, allowed=1e-8)
        >>> check.passed, check._replace(difference=math.nan).passed
        (True, False)
    """

    name: str
    """Of the parameter, the input or the part of the state."""
    shape: tuple[int, ...]
    entries: int
    """How many of the array's entries were looked at one by one."""
    largest: float
    """Largest `|gradient|` as `backward` computes it."""
    difference: float
    """Largest difference to the other way of computing it."""
    allowed: float
    """Largest difference that passes."""

    @property
    def passed(self) -> bool:
        """Whether the two agree; NaN and infinity agree with nothing."""
        return math.isfinite(self.difference) and self.difference <= self.allowed


def numeric_gradient(function: Callable[[], float], array: Array, step: float = STEP) -> Array:
    """Return d function / d array from differences of the function's values, entry by entry.

    `(f(x − 2h) − 8 f(x − h) + 8 f(x + h) − f(x + 2h)) / 12h`, the central difference of fourth order.

    Where those five values do not lie on a smooth curve, a kink (of a ReLU) is near. Then five points on one
    side of x are tried, then steps 10 and 100 times smaller; the smoothest five values count. The choice
    never compares with a gradient under test, so a wrong one stays wrong. On a kink itself, where there is no
    derivative, the slope on one side comes out.

    Args:
        function: reads `array`, which is changed in place while this runs and is restored at the end.
        array: float64.
        step: h.

    Returns:
        The gradient, in the shape of `array`.

    Raises:
        TypeError: `array` is not float64.

    Example:
        >>> x = np.array([1.0, 2.0])
        >>> numeric_gradient(lambda: float(x[0] * x[1] ** 3), x).round(6).tolist()
        [8.0, 12.0]
    """
    gradient = np.empty(array.shape)
    for entry in range(array.size):
        gradient.flat[entry] = _slope(function, array, _along_entry(array, entry), step, 1.0)
    return gradient


def check_gradient(
    function: Callable[[], float],
    array: Array,
    gradient: Array,
    name: str,
    *,
    entries: int | None = None,
    seed: int | np.random.Generator = 0,
) -> GradientCheck:
    """Compare a gradient with `numeric_gradient`.

    Args:
        function: reads `array`, as in `numeric_gradient`.
        array: float64.
        gradient: what should be d function / d array.
        name: for the result.
        entries: so many entries, drawn at random, and one direction through all; None for every entry.
        seed: integer or generator for that draw.

    Raises:
        TypeError: `array` is not float64.
        ValueError: the gradient has another shape than the array.

    Example:
        >>> x = np.array([1.0, 2.0])
        >>> check_gradient(lambda: float(x @ x), x, 2 * x, "x").passed
        True
        >>> check_gradient(lambda: float(x @ x), x, 2 * x + 1e-6, "x").passed
        False
    """
    if gradient.shape != array.shape:
        raise ValueError(f"the gradient of {name} must have shape {array.shape}, got {gradient.shape}")
    chosen, generator = np.arange(array.size), make_generator(seed)
    directions: list[Array] = []
    if entries is not None and check_size("entries", entries, minimum=0) < array.size:
        chosen = generator.choice(array.size, entries, replace=False)
        signs = generator.choice([-1.0, 1.0], array.shape)  # no entry counts for less than another
        directions.append(signs / math.sqrt(array.size))
    directions += [_along_entry(array, int(entry)) for entry in chosen]
    scale = max(1.0, float(np.abs(gradient).max()))
    gaps = [_slope(function, array, along, STEP, scale) - np.vdot(along, gradient) for along in directions]
    return compare(name, gradient, np.array(gaps), TOLERANCE)._replace(entries=len(chosen))


def check_gradients(
    model: Model, inputs: Any, state: Any = None, *, entries: int | None = None, seed: int = 0
) -> list[GradientCheck]:
    """Check every gradient of a model: of its inputs, of the state before the first step, of all parameters.

    The loss is the sum of all outputs and of the last state, each number times a random weight. A parameter
    `initial_memory` is checked on a run that starts there.

    Args:
        model: any of the room's, in float64. Its parameters are as before when this returns.
        inputs: what its `forward` takes; for `MultiHeadAttention` Q, K and V, or one array for all three.
        state: what its `forward` takes as the state; None for one drawn around the initial one.
        entries: entries of each array that are looked at, as in `check_gradient`; None for all of them.
        seed: of the weights, the state and the entries.

    Raises:
        TypeError: a model of another kind, or one in float32.
        ValueError: what the model's `forward` says of its inputs.

    Example:
        >>> checks = check_gradients(LSTM(3, 4), np.ones((2, 5, 3)), entries=5)
        >>> [check.name for check in checks if check.passed]
        ['sequence', 'h', 'c', 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']
    """
    problem = draw_problem(model, inputs, state, seed)
    runs = [(problem, problem.arrays | model.params)]
    if runs[0][1].pop("initial_memory", None) is not None:  # it has no part in a run from a given state
        runs.append((from_own_start(problem), {"initial_memory": model.params["initial_memory"]}))
    checks = []
    for run, arrays in runs:
        gradients = analytic_gradients(model, run)
        for name, array in arrays.items():
            loss = partial(problem_loss, model, run)
            checks.append(check_gradient(loss, array, gradients[name], name, entries=entries, seed=seed))
    return checks


def check_split(
    model: RelationalMemory | RelationalRNN | LSTM, inputs: npt.ArrayLike, at: int, *, seed: int = 0
) -> list[GradientCheck]:
    """Check that a sequence in two parts has the gradients of the whole sequence.

    The state goes from the first part's end to the second part's start, its gradient the other way; the
    parameters' gradients of both parts are added up. It starts from the model's own initial state.

    Args:
        model: a model over sequences that takes a state, in float64.
        inputs: (B, T, F), or (B, T, R, F) for a matrix input.
        at: steps of the first part, 1 to T - 1.
        seed: of the weights of the loss, as in `check_gradients`.

    Raises:
        TypeError: a model of another kind, or one in float32.
        ValueError: `at` leaves a part without a step, or what the model's `forward` says of its inputs.

    Example:
        >>> all(check.passed for check in check_split(LSTM(3, 4), np.ones((2, 5, 3)), at=2))
        True
    """
    if not isinstance(model, RelationalMemory | RelationalRNN | LSTM):
        raise TypeError(
            "model must be a RelationalMemory, a RelationalRNN or an LSTM, which take a sequence and a "
            f"state; got {type(model).__name__}"
        )
    problem = draw_problem(model, inputs, None, seed)
    name, sequence = next(iter(problem.arrays.items()))
    if not 1 <= check_size("at", at) < sequence.shape[1]:
        raise ValueError(f"at must be from 1 to T - 1 = {sequence.shape[1] - 1}, got {at}")
    d_outputs, *d_last = problem.weights
    whole = analytic_gradients(model, from_own_start(problem))

    passes = passes_of(model)
    _, *middle = passes.forward(sequence[:, :at])
    passes.forward(sequence[:, at:], *middle)
    d_second, *d_middle = passes.backward(d_outputs[:, at:], *d_last)
    of_second = {name: gradient.copy() for name, gradient in model.grads.items()}
    passes.forward(sequence[:, :at])
    d_first, *d_start = passes.backward(d_outputs[:, :at], *d_middle)
    parts = {name: np.concatenate([d_first, d_second], axis=1)} | dict(zip(passes.names[1:], d_start))
    parts |= {name: gradient + of_second[name] for name, gradient in model.grads.items()}
    return [compare(name, whole[name], parts[name] - whole[name], SAME_TOLERANCE) for name in whole]


def compare(name: str, gradient: Array, gaps: Array, tolerance: float) -> GradientCheck:
    """Return how a gradient compares, given the differences to another way of computing it."""
    largest = float(np.abs(gradient).max())
    difference = float(np.abs(gaps).max(initial=0.0))
    return GradientCheck(
        name, gradient.shape, gradient.size, largest, difference, tolerance * max(1.0, largest)
    )


def _along_entry(array: Array, entry: int) -> Array:
    direction = np.zeros(array.shape)
    direction.flat[entry] = 1
    return direction


def _slope(function: Callable[[], float], array: Array, direction: Array, step: float, scale: float) -> float:
    """Return d function(array + s direction) / ds at s = 0, to a tenth of what is allowed at this scale.

    See `numeric_gradient`.
    """
    if array.dtype != np.float64:
        raise TypeError(f"array must be float64, got {array.dtype}")
    start, least, best = array.copy(), math.inf, math.nan
    try:
        for h in (step, step / 10, step / 100):
            values: dict[int, float] = {}
            for first, weights in _STENCILS:
                points = range(first, first + 5)
                for point in points:
                    if point not in values:
                        array[...] = start + point * h * direction
                        values[point] = function()
                five = np.array([values[point] for point in points])
                slope, bend = float(weights @ five) / h, abs(float(_BEND @ five)) / h
                # So much of a bend may be rounding: four units in the last place of each value.
                rounding = 64 * _EPSILON * float(np.abs(five).max()) / h
                if bend <= max(TOLERANCE / 10 * scale, rounding):
                    return slope
                if bend + rounding < least:
                    least, best = bend + rounding, slope
        return best
    finally:
        array[...] = start
