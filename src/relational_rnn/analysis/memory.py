"""What a memory holds and how it is used, in numbers.

Formulas and cautions: docs/analysis.md. Figures: `memory_plots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from relational_rnn.analysis.recorded_memory import RecordedMemory
from relational_rnn.config.checks import check_shape
from relational_rnn.reference.arrays import as_booleans, as_floats

SATURATED = 0.99
"""An output of a tanh beyond this counts as saturated: its slope is below 2 % of the largest."""

Phase = slice | npt.NDArray[np.bool_]
"""Steps: a slice of them, or booleans (T,), or (B, T) where they differ between samples."""


def slot_norms(memories: Float[np.ndarray, "B T N D"]) -> Float[np.ndarray, "T N"]:
    """Mean over the samples of the Euclidean norm of each slot after each step.

    Raises:
        TypeError: `memories` holds no floats.
        ValueError: wrong number of axes, an empty one, or numbers that are not finite.

    Example:
        >>> slot_norms(np.array([[[[3.0, 4.0], [0.0, 1.0]]]])).tolist()
        [[5.0, 1.0]]
    """
    norms: Float[np.ndarray, "T N"] = np.linalg.norm(_check(memories), axis=3).mean(axis=0)
    return norms


def phases_of(mask: npt.ArrayLike) -> dict[str, Bool[np.ndarray, "B T"]]:
    """Split the steps of every sample in "input" (before its first step that counts) and "answer" (counts).

    Steps after the first that counts which do not count themselves, such as padding, are in neither; a
    phase without any step is left out.

    Args:
        mask: (B, T) booleans, True where an answer counts, as in a task's batch.

    Raises:
        TypeError: `mask` holds no booleans.
        ValueError: wrong number of axes, an empty one, or nothing counts.

    Example:
        >>> phases = phases_of(np.array([[False, False, True, True]]))
        >>> phases["input"].tolist(), phases["answer"].tolist()
        ([[True, True, False, False]], [[False, False, True, True]])
    """
    counts = as_booleans("mask", mask)
    check_shape("mask", counts.shape, ("B", "T"))
    if not counts.any():
        raise ValueError("mask must be True at one step at least, got False everywhere")
    before = np.cumsum(counts, axis=1) == 0
    return {name: steps for name, steps in (("input", before), ("answer", counts)) if steps.any()}


def phase_norms(
    memories: Float[np.ndarray, "B T N D"], phases: Mapping[str, Phase]
) -> dict[str, Float[np.ndarray, " N"]]:
    """Mean norm of each slot over the samples and the steps of each phase.

    Args:
        memories: after each step.
        phases: steps by name, for example `{"input": slice(0, 8), "answer": slice(8, 16)}`; see `phases_of`.

    Raises:
        TypeError: a phase that is neither a slice nor booleans.
        ValueError: a phase that reaches outside the steps or holds none, or bad `memories`.

    Example:
        >>> phase_norms(np.array([[[[1.0]], [[3.0]], [[6.0]]]]), {"late": slice(1, 3)})["late"].tolist()
        [4.5]
    """
    norms = np.linalg.norm(_check(memories), axis=3)  # (B, T, N)
    return {name: norms[_steps(name, phase, norms.shape[:2])].mean(axis=0) for name, phase in phases.items()}


def slot_variance(memories: Float[np.ndarray, "B T N D"]) -> Float[np.ndarray, " T"]:
    """Variance between slots after each step: `mean over b, d of var over n of m[b, t, n, d]`.

    Raises:
        TypeError: `memories` holds no floats.
        ValueError: wrong number of axes, an empty one, or numbers that are not finite.

    Example:
        >>> slot_variance(np.array([[[[1.0], [3.0]], [[2.0], [2.0]]]])).tolist()
        [1.0, 0.0]
    """
    variance: Float[np.ndarray, " T"] = _check(memories).var(axis=2).mean(axis=(0, 2))
    return variance


def specialisation(memories: Float[np.ndarray, "B T N D"]) -> Float[np.ndarray, " T"]:
    """Share of the memory's mean square that lies between the slots, after each step, 0 to 1.

    `slot_variance / mean over b, n, d of m²`: by `mean m² = (mean over slots)² + variance between slots` it
    is 0 where all slots are equal, `1 - 1/N` on average for slots of unrelated directions and equal length,
    and 1 where the slots cancel. A memory of zeros has 0.

    Raises:
        TypeError: `memories` holds no floats.
        ValueError: wrong number of axes, an empty one, or numbers that are not finite.

    Example:
        >>> specialisation(np.array([[[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [1.0, 2.0]]]])).tolist()
        [0.5, 0.0]
    """
    total = np.square(_check(memories)).mean(axis=(0, 2, 3))
    shares: Float[np.ndarray, " T"] = slot_variance(memories) / np.where(total > 0, total, 1.0)
    return shares


def effective_rank(memories: Float[np.ndarray, "B T N D"]) -> Float[np.ndarray, " T"]:
    """How many directions the slots of one sample span after each step, 1 to min(N, D); mean over samples.

    `exp(-Σ_k p_k log p_k)` with `p_k = σ_k / Σ σ`, σ the singular values of the sample's N x D memory (Roy
    and Vetterli 2007, "The effective rank"). A memory of zeros has 0.

    Raises:
        TypeError: `memories` holds no floats.
        ValueError: wrong number of axes, an empty one, or numbers that are not finite.

    Example:
        >>> effective_rank(np.array([[np.eye(2, 3), np.ones((2, 3))]])).round(6).tolist()
        [2.0, 1.0]
    """
    singular = np.linalg.svd(_check(memories), compute_uv=False)  # (B, T, min(N, D))
    ranks: Float[np.ndarray, " T"] = _perplexity(singular).mean(axis=0)
    return ranks


def state_rank(memories: Float[np.ndarray, "B T N D"]) -> float:
    """How many directions the whole state moves in over samples and steps, up to N D: its effective rank.

    As `effective_rank`, for the one matrix of all B T states as rows of N D numbers, less their mean: what
    is the same in all states carries nothing. It compares an RMC with an LSTM, whose one slot always has
    `effective_rank` 1. It cannot exceed B T - 1, so take many more samples than the state has numbers.

    Returns:
        The rank; 0 if all states are equal.

    Raises:
        TypeError: `memories` holds no floats.
        ValueError: wrong number of axes, an empty one, or numbers that are not finite.

    Example:
        >>> corners = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(state_rank(corners[:, None, :, None]), 6)  # 4 samples, 1 step, 2 slots, width 1
        2.0
    """
    precision = np.finfo(np.asarray(memories).dtype).eps if np.asarray(memories).dtype.kind == "f" else 0.0
    checked = _check(memories)
    states = checked.reshape(-1, checked.shape[2] * checked.shape[3])  # (B T, N D)
    centred = states - states.mean(axis=0)
    # The smaller Gram matrix has the squares of the singular values, and is much faster for wide states.
    wide = centred.shape[1] > centred.shape[0]
    squares = np.linalg.eigvalsh(centred @ centred.T if wide else centred.T @ centred)
    rounding = 10 * np.finfo(np.float64).eps * max(centred.shape) * squares.max()
    equal = (10 * precision) ** 2 * np.square(states).sum()  # equal states differ by less, in their precision
    kept = np.where(squares > max(rounding, equal), squares, 0.0)
    return float(_perplexity(np.sqrt(kept)))


def slot_changes(
    memories: Float[np.ndarray, "B T N D"], initial: Float[np.ndarray, "B N D"]
) -> Float[np.ndarray, "T N"]:
    """How far each slot moves in each step: mean over the samples of `|m_t - m_(t-1)|`.

    Args:
        memories: after each step.
        initial: before the first.

    Raises:
        TypeError: one of them holds no floats.
        ValueError: bad `memories`, or `initial` of another shape than one of its steps.

    Example:
        >>> slot_changes(np.array([[[[1.0]], [[4.0]], [[4.0]]]]), np.zeros((1, 1, 1))).tolist()
        [[1.0], [3.0], [0.0]]
    """
    after = _check(memories)
    batch, _, slots, width = after.shape
    start = as_floats("initial", initial, np.float64)
    check_shape("initial", start.shape, ("B", "N", "D"), B=batch, N=slots, D=width)
    before = np.concatenate([start[:, None], after[:, :-1]], axis=1)
    return slot_norms(after - before)


def slots_written(changes: Float[np.ndarray, "T N"]) -> float:
    """How many slots the writing is spread over, 1 to N: `exp(-Σ_n p_n log p_n)`.

    `p_n` is the slot's share of all `changes` (see `slot_changes`): N if all slots move as far, 1 if one
    does all the moving, 0 if nothing moves.

    Example:
        >>> round(slots_written(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])), 6)
        2.0
    """
    moved = as_floats("changes", changes, np.float64)
    check_shape("changes", moved.shape, ("T", "N"))
    return float(_perplexity(moved.sum(axis=0)))


def output_range(outputs: npt.ArrayLike) -> dict[str, float]:
    """Return `min`, `max`, `mean`, `std` of the outputs, and `saturated`: the share with `|x| > 0.99`.

    `saturated` means something only where outputs end in a tanh (the hybrid without an output layer), or are
    bounded by 1 anyhow (the LSTM's hidden state).

    Raises:
        TypeError: `outputs` holds no floats.
        ValueError: it is empty, or holds numbers that are not finite.

    Example:
        >>> output_range(np.array([-1.0, 0.0, 0.5, 0.5]))
        {'min': -1.0, 'max': 0.5, 'mean': 0.0, 'std': 0.6123724356957945, 'saturated': 0.25}
    """
    values = as_floats("outputs", outputs, np.float64)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"outputs must be finite numbers, one at least, got shape {values.shape}")
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "saturated": float((np.abs(values) > SATURATED).mean()),
    }


def summarise_memory(recorded: RecordedMemory, mask: npt.ArrayLike | None = None) -> dict[str, Any]:
    """Return all numbers of one model as plain values, ready for JSON.

    Args:
        recorded: from `record_memory`.
        mask: (B, T) booleans, True where an answer counts, for the norms per phase; None leaves these out.

    Returns:
        `model`, `parameters`, `core_parameters`, `examples`, `steps`, `slots`, `slot_size`; means over the
        steps: `norm`, `slot_variance`, `specialisation`, `effective_rank`; `state_rank`, `slots_written`;
        `phase_norms` (a list of N for each phase), `output_range`; and `per_step` with `slot_norms` and
        `slot_changes` (T lists of N), `slot_variance`, `specialisation` and `effective_rank` (lists of T).

    Raises:
        TypeError: `mask` holds no booleans.
        ValueError: `mask` is not (B, T), or is False everywhere.

    Example:
        >>> from relational_rnn.analysis import record_memory
        >>> from relational_rnn.reference import RelationalMemory
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2)
        >>> summary = summarise_memory(record_memory(core, np.ones((7, 6, 5))))
        >>> summary["slots"], summary["slot_size"], len(summary["per_step"]["slot_norms"])
        (3, 8, 6)
    """
    memories = recorded.memories
    examples, steps, slots, slot_size = memories.shape
    changes = slot_changes(memories, recorded.initial)
    per_step = {
        "slot_norms": slot_norms(memories),
        "slot_changes": changes,
        "slot_variance": slot_variance(memories),
        "specialisation": specialisation(memories),
        "effective_rank": effective_rank(memories),
    }
    phases = {} if mask is None else phase_norms(memories, phases_of(mask))
    averaged = ("slot_variance", "specialisation", "effective_rank")
    return {
        "model": recorded.model,
        "parameters": recorded.parameters,
        "core_parameters": recorded.core_parameters,
        "examples": examples,
        "steps": steps,
        "slots": slots,
        "slot_size": slot_size,
        "norm": float(per_step["slot_norms"].mean()),
        **{name: float(per_step[name].mean()) for name in averaged},
        "state_rank": state_rank(memories),
        "slots_written": slots_written(changes),
        "phase_norms": {name: norms.tolist() for name, norms in phases.items()},
        "output_range": output_range(recorded.outputs),
        "per_step": {name: values.tolist() for name, values in per_step.items()},
    }


def compare_memories(
    recorded: Mapping[str, RecordedMemory], mask: npt.ArrayLike | None = None
) -> list[dict[str, Any]]:
    """Return a row for each model, with the same columns: the single numbers of `summarise_memory`.

    Args:
        recorded: by the name that the row is to have, for example `{"RMC": ..., "LSTM": ...}`.
        mask: as in `summarise_memory`, the same for all.

    Returns:
        Rows with `name`, then `model`, `parameters` and all other single numbers, the mean norm of all slots
        in each phase as `norm_input` and `norm_answer`, and the outputs' range as `output_min`, ...

    Raises:
        TypeError: `mask` holds no booleans.
        ValueError: no models, or `mask` does not fit one.

    Example:
        >>> from relational_rnn.analysis import record_memory
        >>> from relational_rnn.reference import LSTM, RelationalMemory
        >>> models = {"RMC": RelationalMemory(5, mem_slots=3, head_size=4), "LSTM": LSTM(5, hidden_size=6)}
        >>> inputs = np.random.default_rng(0).standard_normal((7, 4, 5))
        >>> rows = compare_memories({name: record_memory(model, inputs) for name, model in models.items()})
        >>> [(row["name"], row["parameters"], row["slots"], row["slot_size"]) for row in rows]
        [('RMC', 244, 3, 4), ('LSTM', 312, 1, 6)]
    """
    if not recorded:
        raise ValueError("a comparison needs at least one recorded memory, got none")
    rows = []
    for name, one in recorded.items():
        summary = summarise_memory(one, mask)
        row = {"name": name} | {k: v for k, v in summary.items() if not isinstance(v, dict)}
        row |= {f"norm_{phase}": float(np.mean(norms)) for phase, norms in summary["phase_norms"].items()}
        row |= {f"output_{kind}": value for kind, value in summary["output_range"].items()}
        rows.append(row)
    return rows


def _check(memories: npt.ArrayLike) -> Float[np.ndarray, "B T N D"]:
    """Return memories in float64, which sums are taken in."""
    checked = as_floats("memories", memories, np.float64)
    check_shape("memories", checked.shape, ("B", "T", "N", "D"))
    if not np.isfinite(checked).all():
        raise ValueError("memories must be finite, got NaN or infinity")
    return checked


def _steps(name: str, phase: Phase, shape: tuple[int, ...]) -> Bool[np.ndarray, "B T"]:
    """Return the steps of a phase for every sample."""
    batch, length = shape
    steps = np.zeros(shape, dtype=bool)
    if isinstance(phase, slice):
        ends = [end for end in (phase.start, phase.stop) if end is not None]
        if any(not -length <= end <= length for end in ends):
            raise ValueError(f"phase {name!r} must lie within the {length} steps, got {phase}")
        steps[:, phase] = True
    elif isinstance(phase, np.ndarray) and phase.dtype == np.bool_:
        if phase.shape not in ((length,), (batch, length)):
            raise ValueError(
                f"phase {name!r} must have shape (T,) = ({length},) or (B, T) = ({batch}, {length}), "
                f"got {phase.shape}"
            )
        steps[:] = phase
    else:
        raise TypeError(f"phase {name!r} must be a slice or an array of booleans, got {phase!r}")
    if not steps.any():
        raise ValueError(f"phase {name!r} must hold one of the {length} steps at least, got none: {phase}")
    return steps


def _perplexity(amounts: Float[np.ndarray, "*batch K"]) -> npt.NDArray[Any]:
    """Return `exp(-Σ p log p)` with `p = amounts / Σ amounts`: how many of them matter; 0 if all are 0."""
    total = amounts.sum(axis=-1, keepdims=True)
    p = np.divide(amounts, total, out=np.zeros_like(amounts), where=total > 0)
    entropy = -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), 0.0)
