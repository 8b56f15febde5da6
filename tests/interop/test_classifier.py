"""A torch classifier and its NumPy twin compute the same."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.analysis import record_memory  # noqa: E402
from relational_rnn.interop.classifier import numpy_classifier  # noqa: E402
from relational_rnn.nn import GRU, SequenceClassifier  # noqa: E402
from relational_rnn.training.models import find_model  # noqa: E402
from tolerances import assert_close  # noqa: E402

OPTIONS = {
    "rmc": {"mem_slots": 3, "num_heads": 2, "num_blocks": 2, "gate_style": "memory"},
    "hybrid": {"num_slots": 3, "slot_size": 8, "num_heads": 2, "slot_update": "attend"},
    "lstm": {},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("head_layers", "activation"), [(0, "relu"), (2, "relu"), (2, "gelu")])
def test_scores_of_every_step(name, head_layers, activation):
    generator = torch.Generator().manual_seed(1)
    spec = find_model(name)
    sizes = {spec.size: 6, **OPTIONS[name]}
    core = spec.core("torch")(5, **sizes, batch_first=True, generator=generator)
    head = {"head_activation": activation, "generator": generator}
    model = SequenceClassifier(core, 4, head_layers, 7, **head).double()
    inputs = torch.randn(2, 9, 5, dtype=torch.float64, generator=generator)
    every = torch.ones(2, 9, dtype=torch.bool)
    twin = numpy_classifier(model)
    assert twin.dtype == np.float64
    with torch.no_grad():
        expected, last = model(inputs, query_mask=every).view(2, 9, 4), model(inputs)
    assert_close(twin.forward(inputs.numpy()), expected, "float64", name)
    assert_close(twin.forward(inputs.numpy(), return_sequences=False), last, "float64", name)


@pytest.mark.parametrize("name", ["rmc", "hybrid"])
def test_recorded_attention_and_gates_are_those_of_the_torch_module(name):
    spec = find_model(name)
    core = spec.core("torch")(5, **{spec.size: 6, **OPTIONS[name]}, batch_first=True)
    model = SequenceClassifier(core, 4).double()
    inputs = torch.randn(2, 9, 5, dtype=torch.float64)
    with torch.no_grad():
        trace = core(inputs, return_trace=True)[-1]
    recorded = record_memory(numpy_classifier(model), inputs.numpy())
    for part, expected in trace._asdict().items():
        assert_close(getattr(recorded, part), expected, "float64", part)


def test_a_core_without_a_twin():
    model = SequenceClassifier(GRU(5, 6, batch_first=True), 4)
    with pytest.raises(TypeError, match="a GRU has no NumPy twin"):
        numpy_classifier(model)
