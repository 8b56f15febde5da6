import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import MultiHeadAttention, multi_head_attention
from relational_rnn.reference.attention import (
    attention_backward,
    attention_forward,
    multi_head_attention_backward,
    multi_head_attention_forward,
)
from tolerances import assert_close

# B 2, Lq 3, Lk 5, H 4 (so that D 24 gives heads of 6).
SHAPES = dict(Q=(2, 3, 24), K=(2, 5, 24), V=(2, 5, 24))


def make_inputs(rng):
    return [rng.standard_normal(shape) for shape in SHAPES.values()]


def make_mask(rng, shape=(2, 4, 3, 5)):
    mask = rng.random(shape) < 0.6
    mask[..., 0, :] = False  # a query that may attend to nothing
    return mask


def test_multi_head_attention_is_the_formula_head_by_head():
    Q, K, V = make_inputs(np.random.default_rng(0))
    attended, weights = multi_head_attention(Q, K, V, num_heads=4, return_weights=True)
    assert weights.shape == (2, 4, 3, 5)
    for sample in range(2):
        for head in range(4):
            part = slice(6 * head, 6 * head + 6)
            for query in range(3):
                scores = np.array([Q[sample, query, part] @ k[part] / np.sqrt(6) for k in K[sample]])
                expected = np.exp(scores) / np.exp(scores).sum()
                assert_close(weights[sample, head, query], expected)
                assert_close(attended[sample, query, part], expected @ V[sample, :, part])
    assert_close(multi_head_attention(Q, K, V), attended)


@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (3, 5), (2, 1, 3, 5), (1, 1, 3, 1)])
def test_what_the_mask_hides_has_no_influence(shape):
    rng = np.random.default_rng(0)
    Q, K, V = make_inputs(rng)
    mask = make_mask(rng, shape)
    attended, weights = multi_head_attention(Q, K, V, mask=mask, return_weights=True)
    full = np.broadcast_to(mask, weights.shape)
    assert not weights[~full].any()
    assert_close(weights.sum(axis=-1), full.any(axis=-1).astype(float))
    # A query that may attend to nothing gets zeros, not NaN.
    assert not attended[:, 0].any()
    assert np.isfinite(attended).all()


def test_a_hidden_key_can_be_left_out():
    Q, K, V = make_inputs(np.random.default_rng(0))
    mask = np.array([True, True, False, True, False])
    kept = multi_head_attention(Q, K[:, mask], V[:, mask])
    assert_close(multi_head_attention(Q, K, V, mask=mask), kept)


def test_attention_backward_is_the_derivative():
    rng = np.random.default_rng(0)
    q, k, v = (
        rng.standard_normal((2, 3, 4, 5)),
        rng.standard_normal((2, 3, 6, 5)),
        rng.standard_normal((2, 3, 6, 7)),
    )
    g = rng.standard_normal((2, 3, 4, 7))
    for mask in (None, make_mask(rng, (2, 3, 4, 6))):

        def loss(mask=mask):
            return float(np.vdot(g, attention_forward(q, k, v, mask)[0]))

        gradients = attention_backward(g, attention_forward(q, k, v, mask)[1])
        for name, value, gradient in zip("qkv", (q, k, v), gradients, strict=True):
            check_gradient(loss, value, gradient, name)


def test_results_can_be_written_into_parts_of_other_arrays():
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, rows, 5)) for rows in (4, 6, 6))
    g = rng.standard_normal(q.shape)
    expected, cache = attention_forward(q, k, v)
    whole = np.zeros((2, 4, 3, 5)).swapaxes(1, 2)
    output, _ = attention_forward(q, k, v, out=whole)
    assert output is whole
    assert_close(whole, expected)
    gradients = np.zeros((2, 3, 6, 15))
    parts = gradients[:, :, :4, :5], gradients[..., 5:10], gradients[..., 10:]
    attention_backward(g, cache, parts)
    for part, gradient in zip(parts, attention_backward(g, cache), strict=True):
        assert_close(part, gradient)
    assert not gradients[:, :, 4:, :5].any()


def test_multi_head_attention_backward_is_the_derivative():
    rng = np.random.default_rng(0)
    arrays, g, mask = make_inputs(rng), rng.standard_normal((2, 3, 24)), make_mask(rng)

    def loss():
        return float(np.vdot(g, multi_head_attention_forward(*arrays, 4, mask)[0]))

    gradients = multi_head_attention_backward(g, multi_head_attention_forward(*arrays, 4, mask)[1])
    for name, value, gradient in zip("QKV", arrays, gradients, strict=True):
        check_gradient(loss, value, gradient, name)


@pytest.mark.parametrize("masked", [False, True])
def test_the_layers_backward_is_the_derivative(masked):
    rng = np.random.default_rng(0)
    arrays, g = make_inputs(rng), rng.standard_normal((2, 3, 24))
    mask = make_mask(rng) if masked else None
    layer = MultiHeadAttention(24, 4)
    for value in layer.params.values():
        value += 0.1 * rng.standard_normal(value.shape)

    def loss():
        return float(np.vdot(g, layer.forward(*arrays, mask)))

    loss()
    gradients = layer.backward(g)
    grads = dict(layer.grads)
    for name, value, gradient in zip("QKV", arrays, gradients, strict=True):
        check_gradient(loss, value, gradient, name)
    assert grads.keys() == layer.params.keys()
    for name, value in layer.params.items():
        check_gradient(loss, value, grads[name], name, entries=20)
    layer.backward(g)
    assert_close(layer.grads["W_o"], grads["W_o"], what="overwritten, not accumulated")


def test_the_layers_arrays_can_be_changed_before_backward():
    layer, arrays = MultiHeadAttention(24, 4), make_inputs(np.random.default_rng(0))
    output = layer.forward(*arrays)
    expected, g = layer.backward(np.ones_like(output)), dict(layer.grads)
    output, weights = layer.forward(*arrays, return_weights=True)
    for array in (*arrays, output, weights):
        array += 1
    for actual, reference in zip(layer.backward(np.ones_like(output)), expected, strict=True):
        assert_close(actual, reference)
    for name, gradient in g.items():
        assert_close(layer.grads[name], gradient, what=name)


def test_the_layer_projects_attends_and_projects():
    layer = MultiHeadAttention(6, 2, seed=3)
    rng = np.random.default_rng(0)
    for name in "qkvo":
        layer.params[f"b_{name}"] = rng.standard_normal(6)
    x, y = rng.standard_normal((1, 2, 6)), rng.standard_normal((1, 3, 6))
    p = layer.params
    q, k, v = x @ p["W_q"].T + p["b_q"], y @ p["W_k"].T + p["b_k"], y @ p["W_v"].T + p["b_v"]
    inner, weights = multi_head_attention(q, k, v, 2, return_weights=True)
    output, layer_weights = layer.forward(x, y, y, return_weights=True)
    assert_close(output, inner @ p["W_o"].T + p["b_o"])
    assert_close(layer_weights, weights)


def test_the_layer_starts_with_xaviers_weights():
    layer = MultiHeadAttention(60, 4, seed=1)
    for name, value in layer.params.items():
        if name.startswith("b"):
            assert not value.any()
        else:
            assert 0.99 * np.sqrt(0.05) < np.abs(value).max() <= np.sqrt(0.05)
    assert np.abs(layer.params["W_q"] - layer.params["W_k"]).max() > 0.1


def test_single_precision_stays_single():
    Q, K, V = (x.astype(np.float32) for x in make_inputs(np.random.default_rng(0)))
    assert multi_head_attention(Q, K, V).dtype == np.float32
    assert multi_head_attention(Q, K, V.astype(np.float64)).dtype == np.float64
    layer = MultiHeadAttention(24, 4, dtype=np.float32)
    output, weights = layer.forward(Q.astype(np.float64), K, V, return_weights=True)
    arrays = [output, weights, *layer.backward(np.ones(output.shape)), *layer.grads.values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


X = np.ones((2, 5, 24))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X.astype(int), X, X), TypeError, "Q must hold floats.*, got int64"),
        ((X, X, X > 0), TypeError, "V must hold floats.*, got bool"),
        ((X[0], X, X), ValueError, r"Q must have 3 axes \(B, L, D\).*got shape \(5, 24\)"),
        ((X, X[:1], X), ValueError, r"K must have shape .*B = 2.*where B = 1"),
        ((X, X, X[:, :4]), ValueError, r"V must have shape .*L = 5.*where L = 4"),
        ((X, X, X[..., :20]), ValueError, r"V must have shape .*D = 24.*where D = 20"),
        ((X, X[:, :0], X[:, :0]), ValueError, "K must not be empty.*where L = 0"),
        ((X, X, X, 5), ValueError, "num_heads must divide d_model, got num_heads=5 and d_model=24"),
        ((X, X, X, 0), ValueError, "num_heads must be an integer of at least 1, got 0"),
        ((X, X, X, 4, np.ones((5, 5))), TypeError, "mask must hold booleans, got float64"),
        (
            (X, X, X, 4, np.ones((3, 5), bool)),
            ValueError,
            r"mask must broadcast .*\(2, 4, 5, 5\), got shape \(3, 5\)",
        ),
        ((X, X, X, 4, np.ones((2, 2, 4, 5, 5), bool)), ValueError, "mask must broadcast"),
        ((X, X, X, 4, None, 1), TypeError, "return_weights must be True or False, got 1"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        multi_head_attention(*arguments)


def test_the_layer_says_what_is_wrong():
    with pytest.raises(ValueError, match="num_heads must divide d_model, got num_heads=5 and d_model=24"):
        MultiHeadAttention(24, 5)
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got 'int32'"):
        MultiHeadAttention(24, 4, dtype="int32")
    layer = MultiHeadAttention(24, 4)
    with pytest.raises(RuntimeError, match=r"MultiHeadAttention\.backward needs a forward before it"):
        layer.backward(X)
    with pytest.raises(ValueError, match=r"Q must have shape .*D = 24.*where D = 20"):
        layer.forward(X[..., :20], X, X)
    with pytest.raises(TypeError, match=r"K must hold floats.*, got int64"):
        layer.forward(X, X.astype(int), X)
    layer.forward(X, X, X)
    with pytest.raises(ValueError, match=r"d_output must have shape .*L = 5.*where L = 4"):
        layer.backward(X[:, :4])
