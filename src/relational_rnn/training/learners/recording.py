"""What a trained core attends to, and what it keeps: of a Transformer on any task, else on Nth farthest."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from relational_rnn.nn import CausalTransformer, SequenceClassifier
from relational_rnn.nn.positions import rotate
from relational_rnn.tasks.nth_farthest import NthFarthest, NthFarthestBatch, sample
from relational_rnn.tasks.nth_farthest_variants import with_reference_at
from relational_rnn.training.recordings import RecordedAttention, RecordedMemories

CHUNK = 1000
"""Examples read at once."""


@torch.no_grad()
def record_attention(model: SequenceClassifier, batch: NthFarthestBatch) -> list[RecordedAttention]:
    """Run a model with a relational core over the batch and keep its attention."""
    model.eval()
    outputs, _, trace = model.core(torch.from_numpy(batch.inputs), return_trace=True)
    predictions = model.head(outputs[:, -1]).argmax(1).tolist()
    return [
        RecordedAttention(
            attention=trace.attention[row, :, -1].numpy(),
            labels=batch.labels[row].tolist(),
            n=int(batch.n[row]),
            reference=int(batch.reference[row]),
            answer=int(batch.targets[row]),
            prediction=predictions[row],
        )
        for row in range(len(predictions))
    ]


def record_attention_at(
    model: SequenceClassifier, task: NthFarthest, generator: np.random.Generator, *, examples: int, step: int
) -> list[RecordedAttention]:
    """Record fresh questions whose reference comes at one step.

    Args:
        model: has a relational core.
        task: its task.
        generator: the sequences are drawn from it.
        examples: how many.
        step: where the reference comes in all of them, from 0.
    """
    return record_attention(model, with_reference_at(sample(task, examples, generator), step))


@torch.no_grad()
def record_memories(
    model: SequenceClassifier, task: NthFarthest, generator: np.random.Generator, *, examples: int, step: int
) -> RecordedMemories:
    """Run a model with a relational core over fresh sequences and keep its memory after every step.

    Args:
        model: its core's outputs are its memories, as with the read head "flatten".
        task: its task.
        generator: the sequences are drawn from it.
        examples: how many.
        step: where the reference comes in all of them, from 0.
    """
    model.eval()
    batch = with_reference_at(sample(task, examples, generator), step)
    ran = [model.core(chunk) for chunk in torch.from_numpy(batch.inputs).split(CHUNK)]
    slots = ran[0][1].shape[1]
    memories = torch.cat([outputs for outputs, _ in ran]).unflatten(-1, (slots, -1))  # (B, T, N, D)
    return RecordedMemories(memories.numpy(), batch.vectors, batch.labels, step)


@torch.no_grad()
def record_transformer(core: CausalTransformer, inputs: np.ndarray) -> Float[np.ndarray, "B T layers H 1 T"]:
    """Run a Transformer over sequences and keep what each step attends to.

    Args:
        core: with `batch_first`; it stays in evaluation mode.
        inputs: (B, T, F), all of one length.

    Returns:
        The weights of each step, the newest query, over itself and the steps before; NaN for later ones.

    Example:
        >>> core = CausalTransformer(5, head_size=4, num_heads=2, num_layers=3, batch_first=True)
        >>> record_transformer(core, np.zeros((7, 6, 5), np.float32)).shape
        (7, 6, 3, 2, 1, 6)
    """
    core.eval()
    weights: list[Tensor] = []

    def keep(layer: torch.nn.Module, given: tuple[Tensor, ...], projected: Tensor) -> None:
        q, k, _ = projected.unflatten(-1, (3, core.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, T, K)
        if core.positions == "rotary":
            q, k = (rotate(x, torch.arange(x.shape[2])) for x in (q, k))
        scores = q @ k.transpose(-1, -2) / core.head_size**0.5
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        weights.append(scores.masked_fill(later, -torch.inf).softmax(-1).masked_fill(later, torch.nan))

    hooks = [layer.get_submodule("qkv").register_forward_hook(keep) for layer in core.layers]
    try:
        core(torch.from_numpy(inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(weights, 2).permute(0, 3, 2, 1, 4)[..., None, :].numpy()  # from (B, H, layers, T, T)
