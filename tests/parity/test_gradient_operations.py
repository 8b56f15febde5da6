"""The operations and models of the NumPy world against PyTorch's: values and automatic derivatives."""

import numpy as np
import pytest

from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.reference import (
    LSTM,
    Classifier,
    LSTMCell,
    MultiHeadAttention,
    RelationalMemory,
    RelationalRNN,
    activations,
    clip_gradients,
    multi_head_attention,
)
from relational_rnn.reference.attention import multi_head_attention_backward, multi_head_attention_forward
from relational_rnn.reference.gates import gates_backward, gates_forward
from relational_rnn.reference.gradient_problem import analytic_gradients, draw_problem, from_own_start
from relational_rnn.reference.layer_norm import layer_norm_backward, layer_norm_forward
from relational_rnn.reference.linear import linear_backward, linear_forward
from relational_rnn.reference.mlp import mlp_backward, mlp_forward
from relational_rnn.reference.read_head import read_head_backward, read_head_forward
from relational_rnn.reference.softmax import softmax_backward, softmax_forward
from tolerances import assert_close

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
interop = pytest.importorskip("relational_rnn.interop.autograd")
F = torch.nn.functional


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def assert_torchs(forward, backward, theirs, arrays):
    """Hold a pair of functions, which pass a cache between them, against a function on tensors."""
    y, cache = forward(*arrays)
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    expected = theirs(*leaves)
    assert_close(y, expected.detach(), what="forward")
    (d_y,) = draw(y.shape)
    gradients = backward(d_y, cache)
    gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
    wanted = torch.autograd.grad(expected, leaves, torch.tensor(d_y))
    for number, (gradient, value) in enumerate(zip(gradients, wanted, strict=True)):
        assert_close(gradient, value, what=f"gradient of argument {number}")


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_activations(name):
    forward, backward = getattr(activations, f"{name}_forward"), getattr(activations, f"{name}_backward")
    (x,) = draw((4, 5))
    x[0, 0] = 0  # there too: relu's kink
    assert_torchs(forward, backward, getattr(torch, name), [x])


def test_linear():
    assert_torchs(linear_forward, linear_backward, F.linear, draw((2, 3, 5), (4, 5), (4,)))


def test_layer_norm():
    x, gain, bias = draw((2, 3, 5), (5,), (5,))
    x[0, 0] = 1 + 1e-3 * x[0, 0]  # nearly constant: what is added to the variance counts
    assert_torchs(
        layer_norm_forward, layer_norm_backward, lambda x, g, b: F.layer_norm(x, (5,), g, b), [x, gain, bias]
    )


@pytest.mark.parametrize("masked", [False, True])
def test_softmax(masked):
    mask = np.random.default_rng(1).random((3, 5)) < 0.6
    assert mask.any(axis=1).all()
    mask = mask if masked else np.ones((3, 5), bool)

    def theirs(x):
        return torch.softmax(x.masked_fill(~torch.tensor(mask), -torch.inf), -1)

    assert_torchs(
        lambda x: softmax_forward(x, mask if masked else None), softmax_backward, theirs, draw((2, 3, 5))
    )


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_mlp(layers, activation):
    arrays = draw((2, 3, 4), *[(4, 4)] * layers, *[(4,)] * layers)

    def forward(x, *layer):
        return mlp_forward(x, layer[:layers], layer[layers:], activation)

    def backward(d_y, cache):
        d_x, of_layers = mlp_backward(d_y, cache)
        return [d_x, *(d_weight for d_weight, _ in of_layers), *(d_bias for _, d_bias in of_layers)]

    def theirs(x, *layer):
        for number in range(layers):
            x = F.linear(
                x if number == 0 else getattr(F, activation)(x), layer[number], layer[layers + number]
            )
        return x

    assert_torchs(forward, backward, theirs, arrays)


@pytest.mark.parametrize("width", [1, 5])
def test_gates(width):
    def theirs(logits, new, memory):
        i, f = (logits + torch.tensor([0.5] * width + [1.0] * width)).sigmoid().split(width, -1)
        return i * new.tanh() + f * memory

    assert_torchs(
        lambda *arrays: gates_forward(*arrays, 0.5, 1.0),
        gates_backward,
        theirs,
        draw((2, 3, 2 * width), (2, 3, 5), (2, 3, 5)),
    )


@pytest.mark.parametrize(
    ("kind", "name", "size", "theirs"),
    [
        ("flatten", None, None, lambda m: m.flatten(-2)),
        ("mean", None, None, lambda m: m.mean(-2)),
        ("weighted", "read_weights", 3, lambda m, w: (w.softmax(0)[:, None] * m).sum(-2)),
        (
            "attention",
            "read_query",
            5,
            lambda m, q: F.scaled_dot_product_attention(q.expand(2, 4, 1, 5), m, m)[..., 0, :],
        ),
    ],
)
def test_read_heads(kind, name, size, theirs):
    def forward(memory, *parameter):
        return read_head_forward(memory, kind, {name: parameter[0]} if parameter else {})

    def backward(d_output, cache):
        d_memory, d_parameters, _ = read_head_backward(d_output, cache)
        return [d_memory, *d_parameters.values()]

    assert_torchs(forward, backward, theirs, draw((2, 4, 3, 5), *([(size,)] if name else [])))


def test_read_head_that_the_input_asks():
    def forward(memory, inputs, weight, bias):
        parameters = {"read_projection.weight": weight, "read_projection.bias": bias}
        return read_head_forward(memory, "query", parameters, inputs)

    def backward(d_output, cache):
        d_memory, d_parameters, d_inputs = read_head_backward(d_output, cache)
        weight, bias = (d_parameters[f"read_projection.{name}"] for name in ("weight", "bias"))
        return [d_memory, d_inputs, weight, bias]

    def theirs(memory, inputs, weight, bias):
        query = F.linear(inputs, weight, bias)
        return query + F.scaled_dot_product_attention(query.unsqueeze(-2), memory, memory).squeeze(-2)

    assert_torchs(forward, backward, theirs, draw((2, 4, 3, 5), (2, 4, 6), (5, 6), (5,)))


def split_heads(x):
    return x.unflatten(-1, (4, -1)).transpose(-2, -3)


@pytest.mark.parametrize("masked", [False, True])
def test_attention(masked):
    mask = np.random.default_rng(1).random((2, 4, 3, 5)) < 0.6 if masked else np.ones((2, 4, 3, 5), bool)
    assert mask.any(axis=-1).all()

    def theirs(q, k, v):
        q, k, v = map(split_heads, (q, k, v))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=torch.tensor(mask))
        return attended.transpose(1, 2).flatten(2)

    arrays = draw((2, 3, 8), (2, 5, 8), (2, 5, 8))
    assert_torchs(
        lambda *qkv: multi_head_attention_forward(*qkv, 4, mask if masked else None),
        multi_head_attention_backward,
        theirs,
        arrays,
    )
    expected = theirs(*map(torch.tensor, arrays))
    assert_close(multi_head_attention(*arrays, 4, mask if masked else None), expected)


def test_the_attention_layer_is_torchs_module():
    layer, module = MultiHeadAttention(8, 4), torch.nn.MultiheadAttention(8, 4, batch_first=True).double()
    p = layer.params
    for name in "qkvo":
        p[f"b_{name}"] += draw((8,))[0]
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.tensor(np.concatenate([p[f"W_{name}"] for name in "qkv"])))
        module.in_proj_bias.copy_(torch.tensor(np.concatenate([p[f"b_{name}"] for name in "qkv"])))
        module.out_proj.weight.copy_(torch.tensor(p["W_o"]))
        module.out_proj.bias.copy_(torch.tensor(p["b_o"]))
    arrays = draw((2, 3, 8), (2, 5, 8), (2, 5, 8))
    hidden = np.arange(5) == 3
    padding = torch.tensor(np.stack([hidden] * 2))
    assert_torchs(
        lambda *qkv: (layer.forward(*qkv, ~hidden), None),
        lambda d_y, _: layer.backward(d_y),
        lambda *qkv: module(*qkv, key_padding_mask=padding)[0],
        arrays,
    )
    module(*map(torch.tensor, arrays), padding)[0].backward(torch.tensor(draw((2, 3, 8))[0]))
    joined = np.concatenate([layer.grads[f"W_{name}"] for name in "qkv"])
    assert_close(joined, module.in_proj_weight.grad, what="W_q, W_k, W_v")
    assert_close(np.concatenate([layer.grads[f"b_{name}"] for name in "qkv"]), module.in_proj_bias.grad)
    assert_close(layer.grads["W_o"], module.out_proj.weight.grad, what="W_o")
    assert_close(layer.grads["b_o"], module.out_proj.bias.grad, what="b_o")


def test_the_lstm_cells_gradients():
    cell = LSTMCell(4, 3, seed=2)
    x, h, c, d_h, d_c = draw((2, 4), *[(2, 3)] * 4)
    cell.forward(x, (h, c))
    d_x, d_state = cell.backward(d_h, d_c)
    module = torch.nn.LSTMCell(4, 3, dtype=torch.float64)
    module.load_state_dict({name: torch.tensor(value) for name, value in cell.params.items()})
    leaves = [torch.tensor(value, requires_grad=True) for value in (x, h, c)]
    after = module(leaves[0], (leaves[1], leaves[2]))
    torch.autograd.backward(after, [torch.tensor(d_h), torch.tensor(d_c)])
    for actual, leaf in zip((d_x, *d_state), leaves, strict=True):
        assert_close(actual, leaf.grad)
    for name, value in module.named_parameters():
        assert_close(cell.grads[name], value.grad, what=name)


def test_clipping():
    grads = dict(zip("abc", draw((3, 2), (4,), (5,)), strict=True))
    for largest in (0.1, 100.0):
        clipped, norm = clip_gradients(grads, largest)
        theirs = [torch.zeros(value.shape, requires_grad=True) for value in grads.values()]
        for leaf, value in zip(theirs, grads.values(), strict=True):
            leaf.grad = torch.tensor(value, dtype=torch.float32)
        assert_close(norm, torch.nn.utils.clip_grad_norm_(theirs, largest), "float32")
        for value, leaf in zip(clipped.values(), theirs, strict=True):
            assert_close(value, leaf.grad, "float32")


def hybrid_in_torch(x, h, c, memory, p, num_heads, slot_update):
    """docs/hybrid.md with torch's operations; returns the outputs and the last state."""

    def layer(name, v):
        return F.linear(v, p[f"{name}.weight"], p.get(f"{name}.bias"))

    outputs = []
    for x_t in x.unbind(1):
        weights = [p[f"lstm.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        h, c = torch.lstm_cell(x_t, (h, c), *weights)
        u = layer("memory_input", h) if "memory_input.weight" in p else h
        update = layer("update", u)[:, None]
        w = memory + update if slot_update == "shared" else memory
        seen = w if slot_update == "shared" else torch.cat([memory, update], 1)
        rows = {"q": w, "k": seen, "v": seen}
        q, k, v = (layer(f"W_{n}", x).unflatten(-1, (num_heads, -1)).transpose(1, 2) for n, x in rows.items())
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        new = w + layer("W_o", attended)
        f = torch.sigmoid(layer("gate_memory", memory) + layer("gate_input", u)[:, None])
        memory = f * memory + (1 - f) * torch.tanh(new)
        read = layer("readout", memory.mean(1))
        y = torch.tanh(layer("combine", torch.cat([h, read], 1)))
        outputs.append(layer("output", y) if "output.weight" in p else y)
    return torch.stack(outputs, 1), h, c, memory


@pytest.mark.parametrize("slot_size", [6, 8])  # 6: no projection of the hidden state
@pytest.mark.parametrize("output_size", [None, 7])
@pytest.mark.parametrize("slot_update", SLOT_UPDATES)
def test_the_hybrid(slot_size, output_size, slot_update):
    sizes = dict(num_slots=3, slot_size=slot_size, num_heads=2)
    model = RelationalRNN(4, 6, output_size, **sizes, slot_update=slot_update)
    rng = np.random.default_rng(1)
    for value in model.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    problem = draw_problem(model, *draw((2, 5, 4)))
    leaves = {n: torch.tensor(v, requires_grad=True) for n, v in (problem.arrays | model.params).items()}
    zeros = torch.zeros(2, 6, dtype=torch.float64)
    own_state = [zeros, zeros, leaves["initial_memory"].expand(2, -1, -1)]
    given_state = [leaves[name] for name in ("h", "c", "memory")]
    for run, state in ((problem, given_state), (from_own_start(problem), own_state)):
        results = hybrid_in_torch(leaves["sequence"], *state, leaves, 2, slot_update)
        loss = sum((torch.tensor(w) * r).sum() for w, r in zip(problem.weights, results, strict=True))
        names = [name for name in leaves if name in run.arrays or name in model.params]
        wanted = torch.autograd.grad(
            loss, [leaves[name] for name in names], allow_unused=True, materialize_grads=True
        )
        gradients = analytic_gradients(model, run)
        for name, value in zip(names, wanted, strict=True):
            assert_close(gradients[name], value, what=f"{name}, given {list(run.arrays)}")


@pytest.mark.parametrize("hidden_sizes", [(), (6, 7)])
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("make", [lambda: LSTM(4, 3, 5), lambda: RelationalMemory(4, 3, 2, 2)])
def test_the_classifier(make, return_sequences, hidden_sizes):
    core = make()
    model = Classifier(core, 5, hidden_sizes)
    (x,) = draw((2, 3, 4))
    scores = model.forward(x, return_sequences)
    (d_scores,) = draw(scores.shape)
    d_x, grads = model.backward(d_scores), model.grads

    outputs = core.forward(x)
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    y = torch.tensor(outputs, requires_grad=True)
    head = {n: torch.tensor(v, requires_grad=True) for n, v in model.params.items() if n.startswith("head")}
    z = y if return_sequences else y[:, -1]
    for layer in range(len(hidden_sizes) + 1):
        z = F.linear(torch.relu(z) if layer else z, head[f"head.{layer}.weight"], head[f"head.{layer}.bias"])
    assert_close(scores, z.detach())
    z.backward(torch.tensor(d_scores))
    for name, value in head.items():
        assert_close(grads[name], value.grad, what=name)
    of_core = core.backward(y.grad.numpy())  # the cores have parity tests of their own
    assert_close(d_x, of_core[0])
    for name, value in core.grads.items():
        assert_close(grads[f"core.{name}"], value, what=name)
