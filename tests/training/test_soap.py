"""SOAP takes the steps that another implementation of it takes, and a tensor of many axes has many bases."""

import pytest

pytestmark = pytest.mark.torch

SHAPES = ((96, 64), (64,), (70, 130), (8, 64), (3, 600), (2, 3, 8, 10), (520, 530))
"""Also of sides that no block of rows divides, of longer ones than have a basis, and of four axes."""


@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 1e-3), ("float64", 1e-5)])
def test_steps_are_those_of_another_implementation(dtype, allowed):
    """For 32 steps, three turns of the bases among them.

    What is compared is each change, by its norm. The other one keeps the mean of the gradients outside the
    bases and whole covariances, and turns bases in float32, so that the two are not equal in bits.
    """
    library = pytest.importorskip("pytorch_optimizer")
    import torch

    from relational_rnn.training.learners.soap import SOAP

    kind, generator = getattr(torch, dtype), torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": kind}
    ours = [torch.nn.Parameter(torch.zeros(shape, dtype=kind)) for shape in SHAPES]
    theirs = [torch.nn.Parameter(torch.zeros_like(p)) for p in ours]
    optimiser = SOAP(ours, lr=0.1, longest_side=512)
    other = library.SOAP(theirs, lr=0.1, weight_decay=0.0, max_precondition_dim=512)
    for step in range(32):
        rate = 0.1 / (1 + step)
        optimiser.param_groups[0]["lr"] = other.param_groups[0]["lr"] = rate
        for p, q in zip(ours, theirs):
            p.grad = torch.randn(p.shape, **draw) * torch.logspace(0, -2, p.shape[-1], dtype=kind)
            q.grad = p.grad.clone()
        before = [(p.detach().clone(), q.detach().clone()) for p, q in zip(ours, theirs)]
        optimiser.step()
        other.step()
        for p, q, (old_p, old_q) in zip(ours, theirs, before):
            change, wanted = p.detach() - old_p, q.detach() - old_q
            assert (wanted.norm() > 0) == (step > 0), "the first step only measures"
            assert (change - wanted).norm() <= allowed * wanted.norm(), (step, tuple(p.shape))
        if step == 0:  # what a first gradient of low rank leaves open, each has chosen for itself
            for p, q in zip(ours, theirs):
                if p.ndim > 1:
                    bases = other.state[q]["Q"]
                    optimiser.state[p]["bases"] = [b.clone() if len(b) else None for b in bases]


def test_parameters_without_a_gradient_stay():
    import torch

    from relational_rnn.training.learners.soap import SOAP

    used, unused = (torch.nn.Parameter(torch.ones(3, 2)) for _ in range(2))
    optimiser = SOAP([used, unused], lr=0.1)
    for _ in range(11):
        used.grad = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
        assert optimiser.step(lambda: "loss") == "loss"
    assert (used != 1).all()
    assert torch.equal(unused, torch.ones(3, 2))
    assert unused not in optimiser.state
