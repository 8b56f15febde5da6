"""Who is timed: every backend that can run here, a reason for each that cannot, and on which threads."""

import time

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.bench import fwd_bwd_torch  # noqa: E402
from relational_rnn.bench.workloads import Sizes, matched_lstm, parameters  # noqa: E402
from relational_rnn.kernels import BACKENDS  # noqa: E402

SIZES = Sizes(2, 3, 5, 4, 3, 2)


def test_every_backend_runs_or_says_why_not():
    found, missing = fwd_bwd_torch.variants()
    assert found.keys() | missing.keys() == BACKENDS.keys()
    assert not found.keys() & missing.keys()
    assert found["eager"] == {"backend": "eager"}
    assert fwd_bwd_torch.auto_backend(SIZES) in found


class Unable:
    """A core whose backends cannot run here, or run as another one."""

    backend_in_use = "eager"

    def __init__(self, backend, **options):
        if backend == "eager":
            raise ValueError("no compiler\nand more")

    def __call__(self, inputs):
        return inputs.requires_grad_(), None


def test_reasons_are_kept(monkeypatch):
    monkeypatch.setattr(fwd_bwd_torch, "RelationalMemory", Unable)
    found, missing = fwd_bwd_torch.variants()
    assert found == {}
    assert missing["eager"] == "no compiler"
    others = {reason for name, reason in missing.items() if name != "eager"}
    assert others == {"falls back to eager", "it is for cuda"}


def test_arguments_that_cores_lack_make_no_variants(monkeypatch):
    monkeypatch.setitem(fwd_bwd_torch._EXTRAS, ", faster", {"faster_still": True})
    assert fwd_bwd_torch.variants(", faster") == ({}, {})


def test_opponents_train_and_have_comparable_sizes(monkeypatch):
    trained = []
    monkeypatch.setattr(fwd_bwd_torch, "_pass", lambda model, sizes, state: lambda: trained.append(model))
    for run in fwd_bwd_torch.opponents(SIZES, {"eager": {"backend": "eager"}}).values():
        run()
    core, equal, wide = trained
    counted = [sum(p.numel() for p in model.parameters()) for model in (core, equal)]
    assert counted[0] == parameters(SIZES) <= counted[1]
    smaller = torch.nn.LSTM(SIZES.input_size, matched_lstm(SIZES) - 1)
    assert sum(p.numel() for p in smaller.parameters()) < counted[0]
    assert wide.hidden_size == core.output_size == 4 * 3 * 2


@pytest.mark.parametrize("name", ["eager", "LSTM, equal width"])
def test_a_pass_computes_the_gradients_of_one_batch(monkeypatch, name):
    models = []
    make = fwd_bwd_torch._pass
    monkeypatch.setattr(
        fwd_bwd_torch, "_pass", lambda model, *more: models.append(model) or make(model, *more)
    )
    run = fwd_bwd_torch.opponents(SIZES, {"eager": {"backend": "eager"}})[name]
    model = models[0] if name == "eager" else models[2]
    run()
    once = [parameter.grad.clone() for parameter in model.parameters()]
    run()  # no sum over two passes
    for parameter, gradient in zip(model.parameters(), once, strict=True):
        assert gradient.abs().sum() > 0
        torch.testing.assert_close(parameter.grad, gradient)


def test_a_streaming_step_keeps_the_state():
    seen = []

    def model(x, state):
        seen.append((state, torch.is_grad_enabled()))
        return x, state + 1

    run = fwd_bwd_torch.streaming_step(model, torch.zeros(1), 0)
    run()
    run()
    assert seen == [(0, False), (1, False)]


@pytest.mark.parametrize("count", [1, 2])
def test_threads_are_given_and_taken_back(count):
    before = torch.get_num_threads()
    with fwd_bwd_torch.threads(count) as clock:
        assert torch.get_num_threads() == count
        assert clock is (time.process_time if count == 1 else time.perf_counter)
    assert torch.get_num_threads() == before
