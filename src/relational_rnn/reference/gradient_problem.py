"""A loss to check a model's gradients on, the same for every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.reference.arrays import Array, as_floats, make_generator
from relational_rnn.reference.attention_layer import MultiHeadAttention
from relational_rnn.reference.classifier import Classifier
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.lstm_cell import LSTMCell
from relational_rnn.reference.memory import RelationalMemory
from relational_rnn.reference.memory_cell import RelationalMemoryCell
from relational_rnn.reference.relational_rnn import RelationalRNN
from relational_rnn.reference.relational_rnn_cell import RelationalRNNCell

Model = (
    RelationalMemory
    | RelationalMemoryCell
    | RelationalRNN
    | RelationalRNNCell
    | LSTM
    | LSTMCell
    | MultiHeadAttention
    | Classifier
)
"""What can be checked."""


class Problem(NamedTuple):
    """A loss of a model: the sum of all numbers that come out, each times a fixed random weight."""

    arrays: dict[str, Array]
    """What goes in, by name: the inputs, and the state before the first step unless it is the model's own."""
    weights: tuple[Array, ...]
    """The weights, in the shapes of the outputs and of the state after the last step."""


class Passes(NamedTuple):
    """A model's forward and backward over flat tuples of arrays."""

    names: tuple[str, ...]
    """Of what goes in: the inputs, then the state, if it takes one."""
    forward: Callable[..., tuple[Array, ...]]
    backward: Callable[..., tuple[Any, ...]]


def draw_problem(model: Model, inputs: Any, state: Any = None, seed: int = 0) -> Problem:
    """Draw the loss that `check_gradients` differentiates.

    Args:
        model: as there.
        inputs: as there.
        state: as there; None for the initial one, moved by half a standard normal draw.
        seed: as there.

    Raises:
        TypeError: a model of another kind, or one in float32.
        ValueError: what the model's `forward` says of its inputs.
    """
    passes, generator = passes_of(model), make_generator(seed)
    if model.dtype != np.float64:
        raise TypeError(
            f"gradients are checked in float64, got a {type(model).__name__} of {model.dtype}, which rounds "
            "too coarsely; make it with dtype='float64'"
        )
    if isinstance(model, MultiHeadAttention):
        given = list(inputs) if isinstance(inputs, tuple | list) else [inputs] * 3
    else:
        given = [inputs]
    if isinstance(model, MultiHeadAttention | Classifier):
        if state is not None:
            raise ValueError(f"state must be None: a {type(model).__name__} takes none")
    elif state is None:
        initial = model.initial_state(len(inputs))
        parts = initial if isinstance(initial, tuple) else (initial,)
        given += [part + 0.5 * generator.standard_normal(part.shape) for part in parts]
    else:
        given += list(state) if isinstance(state, tuple | list) else [state]
    arrays = {
        name: as_floats(name, value, np.float64).copy()
        for name, value in zip(passes.names, given, strict=True)
    }
    results = passes.forward(*arrays.values())
    return Problem(arrays, tuple(generator.standard_normal(result.shape) for result in results))


def from_own_start(problem: Problem) -> Problem:
    """Leave the state out, so that the model starts from its own initial state."""
    name, inputs = next(iter(problem.arrays.items()))
    return problem._replace(arrays={name: inputs})


def analytic_gradients(model: Model, problem: Problem) -> dict[str, Array]:
    """Run the model's forward and backward; return the gradient of the problem's loss by name.

    Of the inputs, of the state before the first step (given, or the model's own), and of the parameters.
    """
    passes = passes_of(model)
    passes.forward(*problem.arrays.values())
    returned = passes.backward(*problem.weights)
    gradients = dict(zip(passes.names, returned, strict=True)) | model.grads
    return {name: gradient.copy() for name, gradient in gradients.items()}


def problem_loss(model: Model, problem: Problem) -> float:
    """Return the problem's loss for its arrays and the model's parameters as they are now."""
    results = passes_of(model).forward(*problem.arrays.values())
    return float(sum(map(np.vdot, problem.weights, results)))


def passes_of(model: Any) -> Passes:
    """Return how to call a model with arrays alone: the inputs, then the parts of the state, if any."""

    def over_sequence(x: Array, *state: Array) -> tuple[Array, ...]:
        return model.forward(x, return_state=True, state=state or None)  # type: ignore[no-any-return]

    def lstm_over_sequence(x: Array, *state: Array) -> tuple[Array, ...]:
        outputs, last = over_sequence(x, *state)
        return outputs, *last

    def back_over_sequence(d_outputs: Array, *d_state: Array) -> tuple[Array, ...]:
        d_x, d_start = model.backward(d_outputs, d_state)
        return d_x, *d_start

    def back_over_step(d_h: Array, d_c: Array) -> tuple[Array, ...]:
        d_x, d_state = model.backward(d_h, d_c)
        return d_x, *d_state

    match model:
        case RelationalMemory():
            return Passes(("inputs", "memory"), model.forward, model.backward)
        case RelationalMemoryCell():
            return Passes(("input", "memory"), model.forward, model.backward)
        case RelationalRNN():
            return Passes(("sequence", "h", "c", "memory"), over_sequence, back_over_sequence)
        case RelationalRNNCell():
            return Passes(("x", "h", "c", "memory"), model.forward, model.backward)
        case LSTM():
            return Passes(("sequence", "h", "c"), lstm_over_sequence, back_over_sequence)
        case LSTMCell():
            return Passes(
                ("input", "h", "c"), lambda x, *state: model.forward(x, state or None), back_over_step
            )
        case MultiHeadAttention():
            return Passes(("Q", "K", "V"), lambda *qkv: (model.forward(*qkv),), model.backward)
        case Classifier():
            return Passes(("sequence",), lambda x: (model.forward(x),), lambda d: (model.backward(d),))
    allowed = ", ".join(kind.__name__ for kind in Model.__args__)
    raise TypeError(f"model must be one of {allowed}; got {type(model).__name__}")
