"""Parameters may be replaced; what does not fit is refused by name and never broadcast."""

import numpy as np
import pytest

from relational_rnn.reference import (
    LSTM,
    LSTMCell,
    MultiHeadAttention,
    RelationalMemory,
    RelationalMemoryCell,
    RelationalRNN,
    RelationalRNNCell,
)

X = np.random.default_rng(0).standard_normal((2, 4, 5))

# Name -> layer, and the arguments of its forward.
LAYERS = {
    "rmc": (
        lambda: RelationalMemory(5, 3, 2, 2, initial_memory="trainable", read_head="attention"),
        (X,),
    ),
    "rmc cell": (lambda: RelationalMemoryCell(5, 3, 2, 2), (X[:, 0],)),
    "hybrid": (lambda: RelationalRNN(5, 3, 2, 3, 4), (X,)),
    "hybrid cell": (lambda: RelationalRNNCell(5, 3, 3, 4), (X[:, 0],)),
    "lstm": (lambda: LSTM(5, 3, 2), (X,)),
    "lstm cell": (lambda: LSTMCell(5, 3), (X[:, 0],)),
    "attention": (lambda: MultiHeadAttention(5, 1), (X, X, X)),
}
PARAMETERS = [(layer, name) for layer, (make, _) in LAYERS.items() for name in make().params]


@pytest.mark.parametrize(("layer", "name"), PARAMETERS)
def test_a_parameter_of_another_shape_or_dtype_is_refused(layer, name):
    make, inputs = LAYERS[layer]
    model = make()
    right = model.params[name]
    for shape in ((1,) * right.ndim, (*right.shape[:-1], right.shape[-1] + 1), ()):
        model.params[name] = np.zeros(shape)
        with pytest.raises(ValueError, match=rf'params\["{name}"\] must have shape .*, got \('):
            model.forward(*inputs)
    for value in (right.astype(np.float32), right.astype(int), right.tolist()):
        model.params[name] = value
        with pytest.raises(TypeError, match=rf'params\["{name}"\] must be an array of float64, got '):
            model.forward(*inputs)
    model.params[name] = right + 1  # another array that fits counts
    model.forward(*inputs)


@pytest.mark.parametrize("layer", LAYERS)
def test_parameters_under_other_names_are_refused(layer):
    make, inputs = LAYERS[layer]
    model = make()
    first = next(iter(model.params))
    model.params["biass"] = np.zeros(3)
    with pytest.raises(ValueError, match="missing: none, unknown: biass"):
        model.forward(*inputs)
    del model.params["biass"], model.params[first]
    with pytest.raises(ValueError, match=f"missing: {first}, unknown: none"):
        model.forward(*inputs)
