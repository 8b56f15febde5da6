"""A trained torch classifier as the NumPy one that computes the same, to be looked into without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relational_rnn import reference
from relational_rnn.interop.lstm import load_torch_lstm
from relational_rnn.interop.parameters import get_parameters, set_parameters

if TYPE_CHECKING:
    from relational_rnn.nn import SequenceClassifier


def numpy_classifier(model: SequenceClassifier) -> reference.Classifier:
    """Build the NumPy twin of a torch classifier, with its weights, in float64 or the model's float32.

    Args:
        model: on an RMC, a hybrid relational RNN or an LSTM.

    Raises:
        TypeError: the core has no NumPy twin.

    Example:
        >>> import torch
        >>> from relational_rnn.nn import LSTM, SequenceClassifier
        >>> model = SequenceClassifier(LSTM(5, 6, batch_first=True), classes=3, head_layers=0)
        >>> numpy_classifier(model).forward(torch.zeros(7, 11, 5).numpy()).shape
        (7, 11, 3)
    """
    import torch

    from relational_rnn import nn

    core = model.core
    dtype = str(next(core.parameters()).dtype).removeprefix("torch.")
    twin: reference.LSTM | reference.RelationalRNN | reference.RelationalMemory
    if isinstance(core, nn.RelationalMemory):
        twin = reference.RelationalMemory(**vars(core.config), dtype=dtype)
        set_parameters(twin, get_parameters(core))
    elif isinstance(core, nn.RelationalRNN):
        options = {
            name: getattr(core, name) for name in ("num_slots", "slot_size", "num_heads", "slot_update")
        }
        output_size = core.output_size if hasattr(core, "output") else None
        twin = reference.RelationalRNN(core.input_size, core.hidden_size, output_size, **options, dtype=dtype)
        set_parameters(twin, get_parameters(core))
    elif isinstance(core, nn.LSTM):
        twin = reference.LSTM(core.input_size, core.output_size, dtype=dtype)
        load_torch_lstm(twin, core)
    else:
        raise TypeError(f"a {type(core).__name__} has no NumPy twin; RMC, hybrid and LSTM have")
    layers = [layer for layer in model.head if isinstance(layer, torch.nn.Linear)]
    *hidden, classes = (layer.out_features for layer in layers)
    classifier = reference.Classifier(twin, classes, tuple(hidden), head_activation=model.head_activation)
    for number, layer in enumerate(layers):
        for kind, value in get_parameters(layer).items():
            classifier.params[f"head.{number}.{kind}"][...] = value
    return classifier
