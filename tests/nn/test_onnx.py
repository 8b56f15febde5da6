"""ONNX files compute what the modules compute, for any batch; docs/export.md is so."""

import os
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.utils._pytree as pytree  # noqa: E402

from helpers.model_zoo import draw, make_model  # noqa: E402
from helpers.torch_cores import CONFIGURATIONS, make_core, make_inputs, make_memory  # noqa: E402
from relational_rnn.nn import RelationalMemory, RelationalMemoryCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    # Of torch's exporter, about itself and about torch's own LSTM.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore:# The axis name:UserWarning",
        "ignore:The tensor attributes:UserWarning",
    ),
]
PAGE = Path(__file__).parents[2] / "docs" / "export.md"
BATCH = torch.export.Dim("batch")


@pytest.fixture
def onnx():
    """What runs the files; whoever collects these tests need not wait for it."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    return pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def fresh():
    """Nothing that another test compiled."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def check(onnx, path, module, made_for, shapes, *others):
    """Export a module for inputs like some, and compare the file with it on these and on others."""
    module.eval().requires_grad_(False)
    program = torch.export.export(module, made_for, dynamic_shapes=shapes)
    torch.onnx.export(program, dynamo=True, verbose=False).save(path)
    session = onnx.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    for inputs in (made_for, *others):
        arrays = [x.numpy() for x in pytree.tree_leaves(inputs)]
        found = session.run(None, dict(zip(names, arrays, strict=True)))
        for one, other in zip(found, pytree.tree_leaves(module(*inputs)), strict=True):
            assert_close(one, other, "float32")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=() if name == "the paper's" else pytest.mark.slow)
        for name, options in CONFIGURATIONS.items()
    ],
)
def test_a_step_for_any_batch(onnx, tmp_path, options):
    cell = make_core(RelationalMemoryCell, dtype=torch.float32, **options)

    def step(batch):
        return make_inputs(cell, batch, dtype=torch.float32), make_memory(cell, batch)

    axes = {0: BATCH}
    check(onnx, tmp_path / "step.onnx", cell, step(2), (axes, axes), step(1), step(5))


class Restarted(torch.nn.Module):
    """A core whose resets are an input like the others."""

    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, x, memory, resets):
        return self.core(x, memory, resets=resets)


@pytest.mark.slow
def test_a_sequence_with_resets(onnx, tmp_path):
    core = make_core(RelationalMemory, dtype=torch.float32, backend="eager")

    def given(batch):
        resets = torch.arange(3 * batch).view(3, batch) % 3 == 1
        return make_inputs(core, 3, batch, dtype=torch.float32), make_memory(core, batch), resets

    axes = ({1: BATCH}, {0: BATCH}, {1: BATCH})
    check(onnx, tmp_path / "sequence.onnx", Restarted(core), given(2), axes, given(1), given(5))


def with_state(label, steps):
    """A model, inputs and a state for a batch, and the axes along which the batch lies."""
    model = make_model(label, dtype=torch.float32)
    one, two = (pytree.tree_leaves(model(draw(2, batch, 5).float())[1]) for batch in (1, 2))
    along = [next(n for n in range(a.ndim) if a.shape[n] != b.shape[n]) for a, b in zip(one, two)]

    def given(batch):
        _, state = model(draw(2, batch, 5).float())
        return draw(steps, batch, 5).float(), pytree.tree_map(torch.Tensor.detach, state)

    structure = pytree.tree_structure(given(2)[1])
    shapes = ({1: BATCH}, pytree.tree_unflatten([{axis: BATCH} for axis in along], structure))
    return model, given, shapes


CARRIED = ("hybrid", "lstm", "gru", "deltanet", "slstm")


@pytest.mark.parametrize(
    "label",
    [pytest.param(name, marks=() if name == "slstm" else pytest.mark.slow) for name in (*CARRIED, "dnc")],
)
def test_torch_exports_other_models_with_their_state_for_any_batch(label):
    model, given, shapes = with_state(label, 1)
    run = torch.export.export(model, given(2), dynamic_shapes=shapes).module()
    found, expected = (pytree.tree_leaves(one(*given(5))) for one in (run, model))
    for one, other in zip(found, expected, strict=True):
        assert_close(one.detach(), other.detach(), "float32")


@pytest.mark.slow
@pytest.mark.parametrize("label", CARRIED)
def test_other_models(onnx, tmp_path, label):
    model, given, shapes = with_state(label, 2)
    check(onnx, tmp_path / "model.onnx", model, given(2), shapes, given(1), given(5))


def snippets():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_exports_a_step(capsys):
    exec(snippets()[0], {})
    assert capsys.readouterr().out == "True\n"


@pytest.mark.slow
def test_the_page(onnx, tmp_path, monkeypatch, capsys):
    """All of it, in order; what refuses refuses as it says."""
    monkeypatch.chdir(tmp_path)
    scope = {}
    for snippet in snippets():
        exec(snippet, scope)
    assert re.findall(r"^(True|False)$", capsys.readouterr().out, re.MULTILINE) == ["True"] * 3
    assert {name for name in os.listdir() if name.endswith(".onnx")} == {
        "step.onnx",
        "five_steps.onnx",
        "sequence.onnx",
        "next_token.onnx",
    }
    tokens = torch.arange(5)[:, None]
    memory = scope["next_token"].model.core.initial_state(5)
    session = onnx.InferenceSession("next_token.onnx", providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    found = session.run(None, dict(zip(names, (tokens.numpy(), memory.numpy()), strict=True)))
    for one, other in zip(found, scope["next_token"](tokens, memory), strict=True):
        assert_close(one, other, "float32")

    length = ({0: torch.export.Dim("length")}, None)
    with pytest.raises(Exception, match="You marked length as dynamic but your code specialized it"):
        torch.export.export(
            scope["unrolled"], (torch.zeros(3, 2, 40), torch.zeros(2, 8, 256)), dynamic_shapes=length
        )
    core = make_core(RelationalMemory, dtype=torch.float32, backend="auto")
    if core.backend_in_use != "eager":
        program = torch.export.export(
            core.requires_grad_(False), (make_inputs(core, 2, 3, dtype=torch.float32),)
        )
        with pytest.raises(Exception, match=r"No ONNX function found for .*relational_rnn\.sequence"):
            torch.onnx.export(program, dynamo=True, verbose=False)
