"""Memory that is used again, where the system refuses what only saves time."""

import mmap

import pytest

torch = pytest.importorskip("torch")

from relational_rnn.kernels import workspace  # noqa: E402
from relational_rnn.nn import RelationalMemory  # noqa: E402

pytestmark = pytest.mark.torch


class NoHugePages(mmap.mmap):
    def madvise(self, *arguments):
        raise OSError(22, "Invalid argument")


def refuses(*arguments, **options):
    raise OSError(12, "Cannot allocate memory")


@pytest.fixture(autouse=True)
def empty_workspace():
    workspace.clear()
    yield
    workspace.clear()


def test_without_huge_pages(monkeypatch):
    monkeypatch.setattr(mmap, "mmap", NoHugePages)
    one = workspace.empty(torch.zeros(1), workspace.LARGE).fill_(1)
    assert one.sum() == workspace.LARGE
    del one
    assert [type(block) for block in workspace._free] == [NoHugePages]  # and it is used again


def test_without_any_memory_of_our_own(monkeypatch):
    monkeypatch.setattr(mmap, "mmap", refuses)
    one = workspace.empty(torch.zeros(1, dtype=torch.float64), 2, workspace.LARGE).fill_(1)
    assert (one.shape, one.dtype) == ((2, workspace.LARGE), torch.float64)
    del one
    assert workspace._free == []


@pytest.mark.parametrize("kind", [NoHugePages, refuses])
def test_a_layer_computes_the_same(monkeypatch, kind):
    core = RelationalMemory(6, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    inputs = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(1))
    expected, _ = core(inputs)
    monkeypatch.setattr(workspace, "LARGE", 1)
    monkeypatch.setattr(mmap, "mmap", kind)
    outputs, _ = core(inputs)
    outputs.sum().backward()
    torch.testing.assert_close(outputs, expected)
    assert all(parameter.grad is not None for parameter in core.parameters())
