"""The RMC as the memory of Stable-Baselines3's recurrent PPO: `RecurrentPPO(RelationalRecurrentPolicy, env)`.

sb3-contrib starts an episode by multiplying the state of its LSTM with 0, and the RMC's first memory M0 is
not 0. So what it keeps here is M - M0: of a state of zeros the memory is M0.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from gymnasium import spaces
from torch import Tensor, nn

from relational_rnn.config.checks import check_choice
from relational_rnn.nn import RelationalMemory

try:
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from stable_baselines3.common.torch_layers import CombinedExtractor
except ModuleNotFoundError as missing:
    if missing.name not in ("sb3_contrib", "stable_baselines3"):
        raise
    raise ModuleNotFoundError(
        "relational_rnn.rl.sb3 needs sb3-contrib, which the extra sb3 brings: "
        "pip install 'relational-rnn[sb3]'",
        name=missing.name,
    ) from None

States = tuple[Tensor, Tensor]
"""As an LSTM has them: (1, B, N*D), and a second one that is not used."""

STARTS: Final = ("identity", "random", "zeros")
"""First memories that are the same whenever one looks."""

OF_LSTM: Final = ("lstm_hidden_size", "n_lstm_layers", "shared_lstm", "enable_critic_lstm", "lstm_kwargs")


class RelationalRecurrentPolicy(RecurrentActorCriticPolicy):
    """A policy for `sb3_contrib.RecurrentPPO` with an RMC in place of the LSTM.

    Actor and critic share it, and only the actor's gradient trains it, as with sb3-contrib's `shared_lstm`.
    Each rollout runs through the core as whole sequences, with resets inside, on the fast backends.

    Args:
        observation_space, action_space, lr_schedule: which RecurrentPPO hands over.
        mem_slots, head_size, num_heads: sizes of the core; see `nn.RelationalMemory`.
        core_kwargs: further arguments of the core, such as `gate_style`.
        kwargs: of sb3-contrib's policy, but for those of its LSTM.

    Raises:
        ValueError: an argument of the LSTM, or a first memory that changes.

    Example:
        >>> from sb3_contrib import RecurrentPPO
        >>> sizes = {"mem_slots": 4, "head_size": 8, "num_heads": 2}
        >>> agent = RecurrentPPO(
        ...     RelationalRecurrentPolicy, "CartPole-v1", n_steps=32, batch_size=32, policy_kwargs=sizes
        ... )
        >>> agent.policy.lstm_actor.core.output_size
        64
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Any,
        *,
        mem_slots: int = 4,
        head_size: int = 16,
        num_heads: int = 2,
        core_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Build sb3-contrib's policy, then put the RMC in the place of its LSTM."""
        wrong = [name for name in OF_LSTM if name in kwargs]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} are of an LSTM; an RMC has mem_slots, head_size, num_heads, core_kwargs"
            )
        self.sizes: dict[str, Any] = {"mem_slots": mem_slots, "head_size": head_size, "num_heads": num_heads}
        self.core_kwargs = dict(core_kwargs or {})
        check_choice("initial_memory", self.core_kwargs.get("initial_memory", "identity"), STARTS)
        if isinstance(observation_space, spaces.Dict):
            kwargs.setdefault("features_extractor_class", CombinedExtractor)
        width = RelationalMemory(1, **self.sizes, **self.core_kwargs).output_size
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            lstm_hidden_size=width,
            shared_lstm=True,
            enable_critic_lstm=False,
            **kwargs,
        )
        self.lstm_actor: Any = ZeroStart(
            RelationalMemory(self.features_dim, **self.sizes, **self.core_kwargs)
        )
        optimiser: Any = self.optimizer_class
        self.optimizer = optimiser(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    @staticmethod
    def _process_sequence(  # type: ignore[override]  # which returns these too, and is annotated otherwise
        features: Tensor, lstm_states: States, episode_starts: Tensor, lstm: Any
    ) -> tuple[Tensor, States]:
        """Run whole sequences, whose episodes begin anywhere; as sb3-contrib does step by step.

        Args:
            features: (B*T, F), the steps of a sequence side by side.
            lstm_states: (1, B, N*D) twice.
            episode_starts: (B*T,), 1 where an episode begins.
            lstm: a `ZeroStart`.

        Returns:
            Outputs (B*T, N*D), and the last states.
        """
        count = lstm_states[0].shape[1]
        sequences = features.reshape(count, -1, lstm.input_size).swapaxes(0, 1)
        resets = episode_starts.reshape(count, -1).swapaxes(0, 1) != 0
        outputs, states = lstm(sequences, lstm_states, resets)
        return outputs.transpose(0, 1).flatten(0, 1), states

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """Return what `policy.save` has to keep to build it again."""
        return super()._get_constructor_parameters() | self.sizes | {"core_kwargs": self.core_kwargs}


class ZeroStart(nn.Module):
    """An RMC that is called as an LSTM is, and whose state of zeros is its first memory.

    Args:
        core: time first; outputs all slots side by side.

    Raises:
        ValueError: it outputs something else.

    Example:
        >>> lstm_like = ZeroStart(RelationalMemory(3, mem_slots=2, head_size=4))
        >>> zeros = torch.zeros(1, 5, 8)
        >>> outputs, (state, _) = lstm_like(torch.zeros(7, 5, 3), (zeros, zeros))
        >>> outputs.shape, state.shape
        (torch.Size([7, 5, 8]), torch.Size([1, 5, 8]))
    """

    num_layers = 1

    def __init__(self, core: RelationalMemory) -> None:
        """Take the sizes that sb3-contrib asks for."""
        super().__init__()
        first = core.initial_state(1)
        if core.output_size != first[0].numel():
            raise ValueError(
                f"read_head must be 'flatten', so that outputs have all {first[0].numel()} numbers of the "
                f"memory; got outputs of {core.output_size}"
            )
        self.core = core
        self.input_size, self.hidden_size = core.input_size, core.output_size

    def forward(self, inputs: Tensor, states: States, resets: Tensor | None = None) -> tuple[Tensor, States]:
        """Go over (T, B, F) from states (1, B, N*D); `resets` (T, B) as the core takes them."""
        first = self.core.initial_state(inputs.shape[1])
        memory = first + states[0][0].view_as(first)
        outputs, memory = self.core(inputs, memory, resets=resets)
        return outputs, ((memory - first).flatten(1)[None], torch.zeros_like(states[1]))
