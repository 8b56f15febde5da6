"""The RMC as a module of TorchRL, which keeps its memory in the tensordict as `LSTMModule` does."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from relational_rnn.nn import RelationalMemory

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchRL, about itself
        from tensordict.nn import TensorDictModuleBase
        from torchrl.modules import recurrent_mode
except ModuleNotFoundError as missing:
    if missing.name not in ("tensordict", "torchrl"):
        raise
    raise ModuleNotFoundError(
        "relational_rnn.rl.torchrl needs TorchRL, which the extra torchrl brings: "
        "pip install 'relational-rnn[torchrl]'",
        name=missing.name,
    ) from None

IS_INIT = "is_init"
"""Where an episode begins, which TorchRL's `InitTracker` says."""


class RelationalMemoryModule(TensorDictModuleBase):
    """An RMC that reads what is observed from a tensordict, and keeps its memory there from step to step.

    It is called as `LSTMModule` is. On steps (..., F) it goes one step on, and begins with the core's first
    memory where `is_init` says so. Under `torchrl.modules.set_recurrent_mode(True)`, as in losses, it goes
    over sequences (..., T, F); the first step of each and those with `is_init` begin with the memory that is
    stored there. What is stored is the memory less the first one: the zeros of a new episode are the first.

    Args:
        core: batch first.
        in_key: what it reads.
        out_key: its outputs (..., output_size).
        state_key: the memory (..., N, D) before a step; that after it stands under `("next", state_key)`. Of
            sequences it is filled in where they end and where the next episode begins, and 0 elsewhere.

    Raises:
        TypeError: the core is no RMC.
        ValueError: it is not batch first.

    Example:
        >>> import torch
        >>> from tensordict import TensorDict
        >>> module = RelationalMemoryModule(RelationalMemory(3, mem_slots=2, head_size=4, batch_first=True))
        >>> step = {"observation": torch.zeros(5, 3), "recurrent_state": torch.zeros(5, 2, 4)}
        >>> told = module(TensorDict({**step, "is_init": torch.ones(5, 1, dtype=torch.bool)}, [5]))
        >>> told["features"].shape, told["next", "recurrent_state"].shape
        (torch.Size([5, 8]), torch.Size([5, 2, 4]))
    """

    def __init__(
        self,
        core: RelationalMemory,
        *,
        in_key: Any = "observation",
        out_key: Any = "features",
        state_key: str = "recurrent_state",
    ) -> None:
        """Take a core."""
        super().__init__()
        if not isinstance(core, RelationalMemory):
            raise TypeError(f"core must be a relational_rnn.nn.RelationalMemory, got {type(core).__name__}")
        if not core.batch_first:
            raise ValueError("the core must take (B, T, F): make it with batch_first=True")
        self.core = core
        self.in_keys = [in_key, state_key, IS_INIT]
        self.out_keys = [out_key, ("next", state_key)]

    def forward(self, tensordict: Any) -> Any:
        """Read observation, memory and `is_init`; write outputs and the next memory.

        Raises:
            KeyError: `is_init` or the memory is missing; the message says what the environment lacks.
            ValueError: a sequence is wanted, and the tensordict has no axis of time.
        """
        present = tensordict.keys(include_nested=True)
        for key, remedy in zip(self.in_keys[1:], ("the module's make_tensordict_primer()", "InitTracker()")):
            if key not in present:
                raise KeyError(f"{key} is missing: append the transform {remedy} to the environment")
        shape, recurrent = tensordict.batch_size, bool(recurrent_mode())
        if recurrent and not shape:
            raise ValueError("in recurrent mode the last axis of a tensordict is time; this one has none")
        inputs, stored, begins = (tensordict.get(key) for key in self.in_keys)
        axes = len(shape)
        inputs = inputs.reshape(-1, *inputs.shape[axes:])
        memories = stored.reshape(-1, *stored.shape[axes:])
        if recurrent:
            outputs, after = self._over_sequences(inputs, memories, begins.reshape(-1, shape[-1]))
        else:
            outputs, after = self._one_step(inputs, memories, begins.reshape(-1))
        tensordict.set(self.out_keys[0], outputs.reshape(*shape, -1))
        tensordict.set(self.out_keys[1], after.reshape(stored.shape))
        return tensordict

    def _one_step(self, inputs: Tensor, memories: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Go one step on: (B, F), (B, N, D) less the first memory, (B,)."""
        first = self.core.initial_state(1)
        outputs, last = self.core(inputs[:, None], first + memories * ~begins[:, None, None])
        return outputs, last - first

    def _over_sequences(self, inputs: Tensor, memories: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Go over the steps of B sequences, side by side: (B*T, F), (B*T, N, D), (B, T)."""
        opens = begins.clone()
        opens[:, 0] = True
        at = opens.flatten().nonzero().squeeze(1)
        ends = torch.cat([at[1:], at.new_tensor([len(inputs)])])
        pieces = inputs.split((ends - at).tolist())
        first = self.core.initial_state(1)
        packed, last = self.core(pack_sequence(pieces, enforce_sorted=False), first + memories[at])
        after = torch.zeros_like(memories)
        after[ends - 1] = last - first
        return torch.cat(unpack_sequence(packed)), after

    def make_tensordict_primer(self) -> Any:
        """Return the transform that an environment needs to carry the memory from step to step."""
        from torchrl.data import Unbounded
        from torchrl.envs import TensorDictPrimer

        first = self.core.initial_state(1)
        spec = Unbounded(first.shape[1:], dtype=first.dtype)
        return TensorDictPrimer({self.in_keys[1]: spec}, expand_specs=True)
