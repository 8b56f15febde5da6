"""examples/memory_adapter.py: its task is what it says, and it trains both decoders."""

import importlib.util
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "memory_adapter.py"


@pytest.fixture(scope="module")
def example():
    specification = importlib.util.spec_from_file_location("memory_adapter", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_answer_is_the_value_beside_the_key_asked_for(example):
    tokens, targets = example.sample(500, torch.Generator().manual_seed(0))
    assert tokens.shape == (500, example.CHUNKS, example.LENGTH)
    assert tokens[:, -1, -2].eq(example.QUESTION).all()
    for chunks, target in zip(tokens.tolist(), targets.tolist(), strict=True):
        asked = chunks[-1][-1]
        shown = chunks[0]
        assert shown.count(asked) == 1
        assert shown[shown.index(asked) + 1] == example.KEYS + target
        assert all(token >= example.KEYS + example.VALUES for token in chunks[1])
    assert set(targets.tolist()) == set(range(example.VALUES))


def test_only_the_adapter_carries_anything(example):
    torch.manual_seed(0)
    tokens, _ = example.sample(4, torch.Generator().manual_seed(0))
    other = tokens.clone()
    other[:, 0] = tokens[:, 0].roll(1, 0)
    for with_memory in (False, True):
        model = example.Decoder(with_memory).eval()
        if with_memory:
            torch.nn.init.normal_(model.adapter.read_output.weight)
        assert model(tokens).equal(model(other)) is not with_memory


def test_it_prints_both_beside_chance(example, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--seeds", "1", "--steps", "3"])
    example.main()
    told = capsys.readouterr()
    assert told.err == ""
    assert "Chance is 25.0%" in told.out
    rows = re.findall(r"^(\w+) +([\d.]+)% +([\d.]+)%$", told.out, re.M)
    assert [name for name, *_ in rows] == ["0", "mean"]
    assert rows[0][1:] == rows[1][1:]


def test_no_steps_are_wrong_use(example, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--steps", "0"])
    with pytest.raises(SystemExit) as ended:
        example.main()
    assert ended.value.code == 2
    assert "--seeds and --steps must be at least 1" in capsys.readouterr().err
