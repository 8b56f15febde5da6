"""The module for TorchRL: a rollout is replayed as it was played, with episodes that begin within it."""

import importlib.util
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
gymnasium = pytest.importorskip("gymnasium")

from relational_rnn.nn import LSTM, RelationalMemory  # noqa: E402

THERE = all(importlib.util.find_spec(name) for name in ("torchrl", "tensordict"))
if THERE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchRL, about itself
        from tensordict import TensorDict
        from tensordict.nn import TensorDictModule, TensorDictSequential
        from torchrl.envs import GymWrapper, InitTracker
        from torchrl.modules import (
            ProbabilisticActor,
            ValueOperator,
            get_primers_from_module,
            set_recurrent_mode,
        )
        from torchrl.objectives.value import GAE

    from relational_rnn.rl import GameVectorEnv
    from relational_rnn.rl.torchrl import RelationalMemoryModule

pytestmark = pytest.mark.torch
with_torchrl = pytest.mark.skipif(not THERE, reason="TorchRL is absent")


def core_of(size=5, **options):
    return RelationalMemory(size, mem_slots=2, head_size=4, num_heads=2, batch_first=True, **options)


@pytest.mark.skipif(THERE, reason="TorchRL is there")
def test_without_torchrl_the_import_says_what_to_install():
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'relational-rnn\[torchrl\]'"):
        importlib.import_module("relational_rnn.rl.torchrl")


@with_torchrl
@pytest.mark.parametrize("options", [{}, {"initial_memory": "trainable", "read_head": "mean"}])
def test_a_sequence_is_its_steps_whatever_its_axes(options):
    torch.manual_seed(0)
    core = core_of(**options)
    module = RelationalMemoryModule(core, in_key="seen", out_key=("agent", "told"), state_key="memory")
    seen, begins = torch.randn(3, 2, 7, 5), torch.rand(3, 2, 7, 1) < 0.3
    memory = torch.randn(3, 2, 2, 8) * ~begins[:, :, 0, :, None]
    whole = TensorDict({"seen": seen, "is_init": begins, "memory": torch.zeros(3, 2, 7, 2, 8)}, [3, 2, 7])
    whole["memory"][:, :, 0] = memory
    with set_recurrent_mode(True):
        module(whole)
    state = memory.flatten(0, 1) + core.initial_state(1)
    outputs, _ = core(seen.flatten(0, 1), state, resets=begins.flatten(0, 1).squeeze(-1))
    torch.testing.assert_close(whole["agent", "told"].flatten(0, 1), outputs)
    for step in range(7):
        one = TensorDict({"seen": seen[:, :, step], "is_init": begins[:, :, step], "memory": memory}, [3, 2])
        memory = module(one)["next", "memory"]
        torch.testing.assert_close(one["agent", "told"], whole["agent", "told"][:, :, step])
        last = begins[:, :, step + 1, 0] if step < 6 else torch.ones(3, 2, dtype=torch.bool)
        expected = memory * last[..., None, None]
        torch.testing.assert_close(whole["next", "memory"][:, :, step], expected, rtol=1e-5, atol=1e-5)
    if "initial_memory" in options:
        whole["agent", "told"].sum().backward()
        assert all(parameter.grad.abs().max() > 0 for parameter in core.parameters())


@with_torchrl
@pytest.mark.filterwarnings("ignore")  # of TorchRL, about itself
def test_a_rollout_has_the_probabilities_and_values_of_its_steps():
    torch.manual_seed(0)
    env = GymWrapper(GameVectorEnv("cue-recall", 6, delay=1, autoreset_mode="SameStep"))
    module = RelationalMemoryModule(core_of())
    policy = TensorDictSequential(module, TensorDictModule(torch.nn.Linear(16, 4), ["features"], ["logits"]))
    critic = TensorDictSequential(module, ValueOperator(torch.nn.Linear(16, 1), ["features"]))
    env.append_transform(InitTracker())
    env.append_transform(get_primers_from_module(policy))
    actor = ProbabilisticActor(
        policy, in_keys=["logits"], distribution_class=torch.distributions.OneHotCategorical
    )
    played = env.rollout(11, actor, break_when_any_done=False)
    assert played["is_init"].sum() == 6 * 4  # episodes of three steps
    assert played["recurrent_state"][:, 2].any(), "it is carried"
    again = played.select(*module.in_keys)
    with set_recurrent_mode(True):
        torch.testing.assert_close(policy(again)["logits"], played["logits"])
        values = critic(again)["state_value"]
    for options in ({"deactivate_vmap": True}, {"shifted": True}):
        with set_recurrent_mode(True):
            scored = GAE(gamma=0.9, lmbda=0.9, value_network=critic, **options)(played.clone())
        torch.testing.assert_close(scored["state_value"], values)
        within = ~played["next", "done"][:, :-1]
        after = scored["next", "state_value"][:, :-1]
        torch.testing.assert_close(after[within], values[:, 1:][within], msg=f"next values, {options}")


@with_torchrl
def test_wrong_use():
    with pytest.raises(ValueError, match="make it with batch_first=True"):
        RelationalMemoryModule(RelationalMemory(5, mem_slots=2, head_size=4))
    with pytest.raises(TypeError, match=r"must be a relational_rnn.nn.RelationalMemory, got LSTM"):
        RelationalMemoryModule(LSTM(5, 8, batch_first=True))
    module = RelationalMemoryModule(core_of())
    seen, begins = torch.zeros(1, 5), torch.ones(1, 1, dtype=torch.bool)
    with pytest.raises(KeyError, match=r"recurrent_state is missing: append .*make_tensordict_primer"):
        module(TensorDict({"observation": seen, "is_init": begins}, [1]))
    with pytest.raises(KeyError, match=r"is_init is missing: append .*InitTracker\(\)"):
        module(TensorDict({"observation": seen, "recurrent_state": torch.zeros(1, 2, 8)}, [1]))
    step = {"observation": seen[0], "is_init": begins[0], "recurrent_state": torch.zeros(2, 8)}
    with set_recurrent_mode(True), pytest.raises(ValueError, match="time; this one has none"):
        module(TensorDict(step, []))
    assert module(TensorDict(step, []))["features"].shape == (16,)


@with_torchrl
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_snippet_learns_to_remember(capsys):
    page = (Path(__file__).parents[2] / "docs" / "reinforcement_learning.md").read_text()
    (snippet,) = (part.split("```")[0] for part in page.split("```python\n")[1:] if "from torchrl" in part)
    torch.manual_seed(0)
    scope = {}
    exec(snippet, scope)
    recalled = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert recalled[0] < 0.5
    assert recalled[-1] > 0.9  # chance is a quarter
