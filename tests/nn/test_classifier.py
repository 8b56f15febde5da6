"""The classifier: a head on the last output of any core."""

from itertools import pairwise

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch import nn as torch_nn  # noqa: E402

from relational_rnn.nn import LSTM, RelationalMemory, SequenceClassifier  # noqa: E402

F, CLASSES, B, T = 5, 3, 4, 7
CORES = {
    "rmc": lambda **options: RelationalMemory(F, 3, 4, 2, batch_first=True, **options),
    "lstm": lambda **options: LSTM(F, 6, batch_first=True, **options),
}
every_core = pytest.mark.parametrize("make", CORES.values(), ids=CORES.keys())


@every_core
def test_it_classifies_the_last_output(make):
    core = make()
    model = SequenceClassifier(core, CLASSES, head_layers=2, head_units=8)
    x = torch.randn(B, T, F)
    scores = model(x)
    assert scores.shape == (B, CLASSES)
    outputs, _ = core(x)
    torch.testing.assert_close(scores, model.head(outputs[:, -1]))
    state = core(torch.randn(B, 2, F))[1]
    assert not torch.allclose(model(x, state), scores)
    torch.testing.assert_close(model(x, state), model.head(core(x, state)[0][:, -1]))


@pytest.mark.parametrize(
    ("options", "kind"), [({}, torch_nn.ReLU), ({"head_activation": "gelu"}, torch_nn.GELU)]
)
@pytest.mark.parametrize("layers", [0, 1, 4])
def test_the_head(layers, options, kind):
    model = SequenceClassifier(CORES["rmc"](), CLASSES, head_layers=layers, head_units=9, **options)
    kinds = [type(layer) for layer in model.head]
    assert kinds == [torch_nn.Linear, kind] * layers + [torch_nn.Linear]
    widths = [
        (layer.in_features, layer.out_features) for layer in model.head if hasattr(layer, "in_features")
    ]
    features = [24] + [9] * layers + [CLASSES]
    assert widths == list(pairwise(features))


@every_core
def test_initial_values_and_dtype(make):
    state = torch.get_rng_state()
    models = [
        SequenceClassifier(make(dtype=torch.float64, generator=generator), CLASSES, generator=generator)
        for generator in (torch.Generator().manual_seed(seed) for seed in (0, 0, 1))
    ]
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator was used"
    one, same, other = (model.head.state_dict() for model in models)
    for name, value in one.items():
        assert value.dtype == torch.float64
        assert torch.equal(value, same[name])
        if name.endswith("bias"):
            assert not value.any()
        else:
            assert not torch.equal(value, other[name])
            assert 1.9 < value.abs().max() * value.shape[1] ** 0.5 <= 2 + 1e-9


def test_errors():
    with pytest.raises(ValueError, match="core must be built with batch_first=True"):
        SequenceClassifier(LSTM(F, 6), CLASSES)
    core = CORES["lstm"]()
    for options, message in (
        (dict(classes=0), "classes must be an integer of at least 1, got 0"),
        (dict(classes=3, head_units=0), "head_units must be an integer of at least 1, got 0"),
        (dict(classes=3, head_layers=-1), "head_layers must be an integer of at least 0, got -1"),
        (dict(classes=3, head_activation="elu"), "head_activation must be one of 'relu', 'gelu', got 'elu'"),
    ):
        with pytest.raises(ValueError, match=message):
            SequenceClassifier(core, **options)
    model = SequenceClassifier(core, CLASSES)
    with pytest.raises(ValueError, match="inputs must be a batch of sequences"):
        model(torch.zeros(6, F))  # (T, F): its last step is not its last feature, even where sizes agree
    packed = torch.nn.utils.rnn.pack_sequence([torch.zeros(2, F), torch.zeros(1, F)])
    with pytest.raises(TypeError, match="not a PackedSequence: pad the sequences at their end"):
        model(packed)
    with pytest.raises(TypeError, match=r"core must have output_size, .*; LSTM has none .*RelationalMemory"):
        SequenceClassifier(torch.nn.LSTM(F, 6, batch_first=True), CLASSES)
    with pytest.raises(TypeError, match=r"no argument num_classes: num_classes is classes here"):
        SequenceClassifier(core, num_classes=3)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(7, 2, dtype=torch.int64), TypeError, "query_mask must be torch.bool, got torch.int64"),
        (torch.ones(7, 2), TypeError, "query_mask must be torch.bool, got torch.float32"),
        (torch.ones(7, dtype=torch.bool), ValueError, r"\(B, T\) = \(7, 2\), got \(7,\)"),
        (torch.ones(2, 7, dtype=torch.bool), ValueError, r"\(B, T\) = \(7, 2\), got \(2, 7\)"),
        (torch.zeros(7, 2, dtype=torch.bool), ValueError, "query_mask is true at no step"),
    ],
)
def test_steps_that_are_asked_wrongly(mask, error, message):
    model = SequenceClassifier(CORES["lstm"](), CLASSES)
    with pytest.raises(error, match=message):
        model(torch.zeros(7, 2, F), query_mask=mask)
