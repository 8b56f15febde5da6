"""Derivatives beyond the first: of gradients, forward mode, Hessians, vmap; for all that attends."""

import gc

import pytest

pytestmark = [
    pytest.mark.torch,
    # torch's own forward-mode rules are made with what it deprecates itself
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
]
torch = pytest.importorskip("torch")

from torch.autograd import forward_ad, gradgradcheck  # noqa: E402
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap  # noqa: E402

from helpers.model_zoo import B, F, draw, make_model  # noqa: E402
from helpers.torch_cores import make_core, make_inputs, make_memory  # noqa: E402
from relational_rnn.kernels import BACKENDS  # noqa: E402
from relational_rnn.kernels.backends import cannot_run  # noqa: E402
from relational_rnn.kernels.dot_product import dot_product_attention, plain_attention  # noqa: E402
from relational_rnn.nn import (  # noqa: E402
    CausalTransformer,
    RelationalMemory,
    RelationalMemoryCell,
    RelationalRNNCell,
)
from tolerances import assert_close  # noqa: E402

T = 3


def backends(dtype):
    core = make_core().config, dtype, torch.device("cpu")
    return [name for name in BACKENDS if name != "triton" and cannot_run(name, *core) is None]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def hybrid_cell(dtype):
    return RelationalRNNCell(F, 6, num_slots=3, slot_size=8, dtype=dtype, generator=generator())


def by(kind, backend):
    return lambda dtype: make_core(kind, dtype=dtype, backend=backend)


MAKERS = {
    **{
        f"{kind.__name__}, {name}": by(kind, name)
        for kind in (RelationalMemory, RelationalMemoryCell)
        for name in ("eager", "fused", "native")
    },
    "key size": lambda dtype: make_core(dtype=dtype, key_size=3, backend="eager"),
    "tile": lambda dtype: make_core(dtype=dtype, input_fusion="tile", num_blocks=2),
    "hybrid": lambda dtype: make_model("hybrid", dtype=dtype),
    "hybrid cell": hybrid_cell,
    "transformer": lambda dtype: make_model("transformer", dtype=dtype),
    "dnc": lambda dtype: make_model("dnc", dtype=dtype),
}
SLOW = ("key size", "tile", "RelationalMemoryCell, eager", "RelationalMemoryCell, fused")
COSTLY = (*SLOW, "RelationalMemory, eager", "transformer", "dnc")
every_model = pytest.mark.parametrize(
    "label", [pytest.param(label, marks=pytest.mark.slow if label in SLOW else ()) for label in MAKERS]
)
costly_models = pytest.mark.parametrize(
    "label", [pytest.param(label, marks=pytest.mark.slow if label in COSTLY else ()) for label in MAKERS]
)


def make(label, dtype=None):
    """A model, its dtype (float32 where there is no other), a function of an input, and an input."""
    dtype = dtype or (torch.float32 if "native" in label else torch.float64)
    backend = label.rpartition(", ")[2]
    if backend in BACKENDS and backend not in backends(dtype):
        pytest.skip(f"{backend} cannot run in {dtype} here")
    model = MAKERS[label](dtype)
    leading = (2,) if "ell" in label.split(",")[0] else (T, 2)
    x = torch.randn(*leading, model.input_size, generator=generator(1), dtype=torch.float64).to(dtype)
    return model, lambda x: model(x)[0], x


def name_of(x):
    return str(x.dtype).removeprefix("torch.")


@every_model
def test_gradients_of_gradients(label):
    model, outputs, x = make(label)
    if x.dtype == torch.float64:
        assert gradgradcheck(outputs, x.requires_grad_(), fast_mode=True)
    # A penalty on the gradient, as it is trained with: in the parameters.
    x = x.detach().requires_grad_()
    for _ in range(2):
        (slope,) = torch.autograd.grad(outputs(x).sin().sum(), x, create_graph=True)
        slope.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert sum(p.grad is not None and p.grad.any() for p in model.parameters()) > 2


@costly_models
def test_third_derivatives(label):
    _, outputs, x = make(label, torch.float64)
    if "native" in label:
        pytest.skip("in float32 differences tell too little")
    along = torch.randn(x.shape, generator=generator(3), dtype=x.dtype)

    def curvature(x):
        """The second derivative along a line, by forward mode inside forward mode."""
        slope = lambda x: jvp(lambda x: outputs(x).sin().sum(), (x,), (along,))[1]  # noqa: E731
        return jvp(slope, (x,), (along,))[1]

    step = 1e-4
    expected = (curvature(x + step * along) - curvature(x - step * along)) / (2 * step)
    assert_close(grad(curvature)(x).mul(along).sum().detach(), expected.detach(), "float32")
    assert_close(curvature(x).detach(), hessian_along(outputs, x, along), "float32")


def hessian_along(outputs, x, along):
    """The same by reverse mode inside reverse mode."""
    found = hessian(lambda x: outputs(x).sin().sum())(x).detach().view(x.numel(), x.numel())
    return along.flatten() @ found @ along.flatten()


@pytest.mark.parametrize("label", ["RelationalMemory, fused", "tile", "hybrid", "hybrid cell"])
def test_third_derivatives_by_three_backwards(label):
    """Not where torch's layer norm is in the graph itself: of that they are wrong."""
    _, outputs, x = make(label)
    along = torch.randn(x.shape, generator=generator(3), dtype=x.dtype)

    def derivative(x, order):
        value = outputs(x).sin().sum()
        for _ in range(order):
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            value = (slope * along).sum()
        return value.detach()

    step = 1e-4
    ends = [(x + sign * step * along).requires_grad_() for sign in (1, -1)]
    expected = (derivative(ends[0], 2) - derivative(ends[1], 2)) / (2 * step)
    assert_close(derivative(x.clone().requires_grad_(), 3), expected, "float32")


@every_model
def test_forward_mode(label):
    _, outputs, x = make(label)
    direction = torch.ones_like(x)
    step = 1e-6 if x.dtype == torch.float64 else 1e-2
    slope = (outputs(x + step * direction) - outputs(x - step * direction)) / (2 * step)
    tolerance = "float32" if x.dtype == torch.float64 else "bfloat16"
    _, tangent = jvp(outputs, (x,), (direction,))
    assert_close(tangent.detach(), slope.detach(), tolerance)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(outputs(forward_ad.make_dual(x, direction))).tangent
    assert_close(tangent.detach(), slope.detach(), tolerance)


@costly_models
def test_hessians(label):
    _, outputs, x = make(label)

    def loss(x):
        return outputs(x).sin().sum()

    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    rows = [torch.autograd.grad(s, leaf, retain_graph=True)[0] for s in slope.flatten()]
    expected = torch.stack(rows).view(*x.shape, *x.shape)
    for found in (
        hessian(loss)(x),
        torch.autograd.functional.hessian(loss, x),
        torch.autograd.functional.hessian(loss, x, vectorize=True),
    ):
        assert_close(found.detach(), expected, name_of(x))


@every_model
def test_jacobians_and_vmap(label):
    model, outputs, x = make(label)
    assert_close(jacfwd(outputs)(x).detach(), jacrev(outputs)(x).detach(), name_of(x))
    slope = grad(lambda x: outputs(x).sum())(x)
    assert_close(slope.detach(), jacrev(outputs)(x).detach().flatten(0, -x.ndim - 1).sum(0), name_of(x))
    many = torch.stack([x, 2 * x, -x])
    for found, each in zip(vmap(outputs)(many), many, strict=True):
        assert_close(found.detach(), outputs(each).detach(), name_of(x))
    # An ensemble: one function, the parameters of several models.
    own = {name: p.detach() for name, p in model.named_parameters()}
    several = {name: torch.stack([p, 0.5 * p]) for name, p in own.items()}
    found = vmap(lambda parameters: functional_call(model, parameters, (x,))[0])(several)
    assert_close(found[0], outputs(x).detach(), name_of(x))
    half = functional_call(model, {name: 0.5 * p for name, p in own.items()}, (x,))[0]
    assert_close(found[1], half.detach(), name_of(x))


@every_model
def test_many_losses_at_once(label):
    _, outputs, x = make(label)
    found = outputs(x.requires_grad_())
    losses = found.flatten()[:4]
    many = torch.autograd.grad(
        losses, x, torch.eye(4, dtype=x.dtype), is_grads_batched=True, retain_graph=True
    )[0]
    for loss, gradient in zip(losses, many, strict=True):
        assert_close(gradient, torch.autograd.grad(loss, x, retain_graph=True)[0], name_of(x))


@every_model
def test_all_of_them_under_autocast(label):
    _, outputs, x = make(label, torch.float32)
    usual = jvp(outputs, (x,), (torch.ones_like(x),))
    with torch.autocast("cpu", torch.bfloat16):
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(outputs(leaf).float().sum(), leaf, create_graph=True)
        slope.square().sum().backward()
        assert leaf.grad.isfinite().all()
        found, tangent = jvp(outputs, (x,), (torch.ones_like(x),))
        assert_close(vmap(outputs)(x[None])[0].detach().float(), found.detach().float(), "bfloat16")
    assert ((tangent.float() - usual[1]).norm() <= 0.2 * usual[1].norm() + 0.1).all()


@pytest.mark.parametrize("backend", ["eager", "fused", "native"])
def test_a_step_without_input(backend):
    dtype = torch.float32 if backend == "native" else torch.float64
    if backend not in backends(dtype):
        pytest.skip(f"{backend} cannot run here")
    cell = make_core(RelationalMemoryCell, dtype=dtype, backend=backend)
    memory = make_memory(cell, 2)
    step = lambda memory: cell(None, memory)[0]  # noqa: E731
    if backend != "native":
        assert gradgradcheck(step, memory.clone().requires_grad_(), fast_mode=True)
    assert_close(jacfwd(step)(memory).detach(), jacrev(step)(memory).detach(), name_of(memory))
    assert_close(vmap(step)(memory[:, None])[:, 0].detach(), step(memory).detach(), name_of(memory))


def test_states_resets_and_dropout():
    transformer = CausalTransformer(F, 4, 2, dropout=0.3, dtype=torch.float64, generator=generator())
    transformer.train()
    x, state = draw(T, B, F).requires_grad_(), transformer(draw(2, B, F))[1]
    resets = torch.rand(T, B, generator=generator()) < 0.4

    def outputs(x):
        torch.manual_seed(3)
        return transformer(x, state, resets=resets)[0]

    assert gradgradcheck(outputs, x, fast_mode=True)
    transformer.eval()
    assert gradgradcheck(outputs, x, fast_mode=True)
    core = make_core(initial_memory="trainable")
    inputs, memory = make_inputs(core, T, 2).requires_grad_(), make_memory(core, 2).requires_grad_()
    flags = torch.tensor([[False, True], [True, False], [False, False]])
    assert gradgradcheck(lambda x, m: core(x, m, resets=flags), (inputs, memory), fast_mode=True)


def attended():
    """How many tensors of the shape of queries, with a graph, are held by anyone."""
    gc.collect()
    return sum(type(t) is torch.Tensor and t.ndim == 4 and t.grad_fn is not None for t in gc.get_objects())


@pytest.mark.parametrize(
    "label",
    [
        "RelationalMemory, eager",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("hybrid", "transformer")),
    ],
)
def test_a_checkpoint_keeps_no_more_than_its_input(label):
    from torch.utils.checkpoint import checkpoint

    _, outputs, x = make(label)
    x.requires_grad_()
    plain = torch.autograd.grad(outputs(x).sin().sum(), x, create_graph=True)[0]
    before = attended()
    found = checkpoint(outputs, x, use_reentrant=False)
    assert attended() == before, "queries, keys or values are held"
    slope = torch.autograd.grad(found.sin().sum(), x, create_graph=True)[0]
    assert_close(slope.detach(), plain.detach())
    twice = [torch.autograd.grad(s.square().sum(), x)[0] for s in (slope, plain)]
    assert_close(*twice)


def test_a_transformer_mapped_over_its_state():
    transformer = make_model("transformer")
    x, state = draw(T, B, F), transformer(draw(2, B, F))[1]
    resets = torch.rand(T, B, generator=generator()) < 0.4
    many = type(state)(*(torch.stack([part, part]) for part in state))
    found = vmap(lambda state: transformer(x, state, resets=resets)[0])(many)
    assert_close(found[1].detach(), transformer(x, state, resets=resets)[0].detach())


# attention by itself


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sizes", [(4, 4, 8, 8), (3, 5, 4, 6), (1, 7, 2, 2)])
@pytest.mark.parametrize("kind", ["all", "causal", "mask"])
def test_attention_is_its_formula(dtype, sizes, kind):
    queries, keys, width, values = sizes
    keys = queries if kind == "causal" else keys
    q, k, v = (
        torch.randn(2, 3, *shape, generator=generator(seed), dtype=torch.float64).to(dtype).requires_grad_()
        for seed, shape in enumerate([(queries, width), (keys, width), (keys, values)])
    )
    mask = torch.rand(2, 1, queries, keys, generator=generator()) < 0.6 if kind == "mask" else None
    if mask is not None:
        mask[..., 0] = True
    found = dot_product_attention(q, k, v, mask, causal=kind == "causal")
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected, _ = plain_attention(*wide, mask, kind == "causal")
    assert found.dtype == dtype
    assert_close(found.detach().double(), expected.detach(), name_of(q))
    weights = torch.randn(found.shape, generator=generator(9), dtype=torch.float64)
    gradients = torch.autograd.grad((found * weights.to(dtype)).sum(), (q, k, v))
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), wide), strict=True):
        assert_close(one.double(), other, name_of(q))


def test_a_query_that_sees_nothing():
    q, k, v = torch.randn(3, 2, 1, 4, 8, generator=generator(), dtype=torch.float64).unbind()
    mask = torch.ones(4, 4, dtype=torch.bool).tril(-1)  # the first one
    q.requires_grad_()
    found, (plain, _) = dot_product_attention(q, k, v, mask), plain_attention(q, k, v, mask)
    assert_close(found.detach(), plain.detach())
    assert not found[:, :, 0].any()
    slopes = [torch.autograd.grad(x.sin().sum(), q)[0] for x in (found, plain)]
    assert_close(*slopes)


def test_attention_of_a_tensor_to_itself():
    x = torch.randn(2, 3, 4, 5, generator=generator(), dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(plain_attention(x, x, x)[0].sin().sum(), x, create_graph=True)[0]
    found = torch.autograd.grad(dot_product_attention(x, x, x).sin().sum(), x, create_graph=True)[0]
    assert_close(found.detach(), expected.detach())
    second = [torch.autograd.grad(g.square().sum(), x)[0] for g in (found, expected)]
    assert_close(*second)
