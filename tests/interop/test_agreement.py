"""A torch core held against the NumPy core: agreement is seen, and so is every kind of difference."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.config import parameter_shapes  # noqa: E402
from relational_rnn.interop.agreement import ALLOWED, check_agreement  # noqa: E402
from relational_rnn.kernels import BACKENDS, eager  # noqa: E402
from relational_rnn.nn import RelationalMemory  # noqa: E402

SIZES = dict(input_size=5, mem_slots=3, head_size=4, num_heads=2)


def make(dtype="float64", **options):
    return RelationalMemory(**{**SIZES, "backend": "eager", **options}, dtype=getattr(torch, dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True, "num_blocks": 2, "gate_style": "memory"},
        {"treat_input_as_matrix": True, "input_rows": 2, "initial_memory": "trainable"},
        {"input_fusion": "tile", "read_head": "attention", "initial_memory": "random"},
    ],
)
def test_the_eager_core_agrees(dtype, options):
    core = make(dtype, **options)
    for twin in {dtype, "float64"}:
        checks = check_agreement(core, batch=2, steps=4, allowed=ALLOWED[dtype], dtype=twin)
        assert [check.name for check in checks if not check.passed] == []
        names = {f"d {name}" for name in parameter_shapes(core.config) if name != "initial_memory"}
        assert {check.name for check in checks} == names | {"outputs", "memory", "d inputs", "d memory"}


def failing(core):
    return [c.name for c in check_agreement(core, batch=2, steps=4, allowed=1e-10) if not c.passed]


def test_a_wrong_output_is_seen(monkeypatch):
    step = eager.step
    monkeypatch.setattr(eager, "step", lambda *a: (step(*a)[0] * (1 + 1e-6), None))
    assert {"outputs", "memory"} <= set(failing(make()))


def test_a_wrong_gradient_is_seen():
    core = make()
    core.gate_input.bias.register_hook(lambda gradient: gradient * (1 + 1e-6))
    assert failing(core) == ["d gate_input.bias"]


def test_nan_is_seen(monkeypatch):
    read = eager.read
    monkeypatch.setattr(eager, "read", lambda *a: read(*a) * float("nan"))
    assert "outputs" in failing(make())


def test_wrong_sizes():
    with pytest.raises(ValueError, match="batch must be an integer of at least 1, got 0"):
        check_agreement(make(), batch=0, steps=1, allowed=1)


def test_eager_is_a_backend():
    assert BACKENDS["eager"].kernel is None
