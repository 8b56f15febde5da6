"""A process that was forked after its parent worked in parallel answers, and waits for no missing threads."""

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
]
torch = pytest.importorskip("torch")

CHILD = """
import os, signal, sys, torch
from relational_rnn import nn
torch.set_num_threads(2)
torch.manual_seed(0)
models = [nn.RelationalMemory(40, 8, 32, 8, backend=name) for name in {backends}]
models += [nn.RelationalRNN(40, 64), nn.CausalTransformer(40, 16), nn.DNC(40, 64)]
models += [nn.LSTM(40, 64), nn.GRU(40, 64), nn.GatedDeltaNet(40, 16), nn.SLSTM(40, 16)]
cells = [nn.RelationalMemoryCell(40, 8, 32, 8), nn.RelationalRNNCell(40, 64)]
x = torch.randn(3, 32, 40)

def step():
    found = [model(x)[0].sum() for model in models] + [cell(x[0])[0].sum() for cell in cells]
    sum(found).backward()
    return torch.stack(found).detach()

wanted = step()
open_graph = sum(model(x)[0].sum() for model in models)
child = os.fork()
if not child:
    signal.alarm(60)  # a child that waits for its parent's threads waits for ever
    {first}
    found = step()
    alike = torch.allclose(found, wanted, rtol=1e-3, atol=1e-1)
    os._exit(0 if alike and torch.get_num_threads() == 1 else 1)
sys.exit(os.waitpid(child, 0)[1])
"""


FIRST = {
    "a step": "pass",
    "a new model": "nn.RelationalMemory(40, 8, 64, 8)",
    "a backward": "open_graph.backward()",
    "plain torch": "torch.randn(2000, 2000) @ torch.randn(2000, 2000)",
    "a state": "[model.initial_state(4000) for model in models]",
}
"""What is done first in the child."""


@pytest.mark.parametrize(
    "first",
    [pytest.param(first, id=name, marks=pytest.mark.slow) for name, first in FIRST.items()],
)
def test_every_model_answers_in_a_forked_child(first):
    from relational_rnn.config import RelationalMemoryConfig
    from relational_rnn.kernels import BACKENDS
    from relational_rnn.kernels.backends import cannot_run

    core = (
        RelationalMemoryConfig(input_size=40, mem_slots=8, head_size=32),
        torch.float32,
        torch.device("cpu"),
    )
    names = [name for name in BACKENDS if name != "triton" and cannot_run(name, *core) is None]
    program = CHILD.format(backends=names, first=first)
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=180)
