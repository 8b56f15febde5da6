"""What can be read from a memory: linear decoding of the vectors of Nth farthest and of their distances.

A ridge regression is fitted on one half of the sequences and scored on the other. What it finds is there in a
form that a linear layer can use; what it does not find may still be there in another form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.config.checks import check_shape
from relational_rnn.training.recordings import RecordedMemories

RIDGE = 1e-3
"""Weight of the squared coefficients, as a share of the features' mean variance."""
OWN_SHARE = 0.5
"""A slot is a label's own if at least this share of the label's vector is read from it."""


def decodability(features: Float[np.ndarray, "B F"], targets: Float[np.ndarray, "B K"]) -> float:
    """Return the share of the targets' variance that a linear map of the features explains on fresh samples.

    The map is a ridge regression on the first half of the samples; the second half scores it:
    `1 - |y - ŷ|² / |y - ȳ|²`, ȳ the mean over the first half.

    Args:
        features: of each sample.
        targets: what to read from them.

    Returns:
        1 for a perfect reading, about 0 for none; below 0 where the map does worse than the mean.
        Targets that do not vary give 0.

    Raises:
        ValueError: wrong shapes, or fewer than 4 samples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(200, 5))
        >>> round(decodability(x, x @ rng.normal(size=(5, 2))), 3)
        1.0
    """
    return fit_reading(features, targets).score


class Reading(NamedTuple):
    """A linear map from features to what is read of them, and how well it does on fresh samples."""

    weights: Float[np.ndarray, "F K"]
    offset: Float[np.ndarray, " K"]
    score: float
    """See `decodability`."""


def fit_reading(features: Float[np.ndarray, "B F"], targets: Float[np.ndarray, "B K"]) -> Reading:
    """Fit the map that `decodability` scores: `ŷ = x W + offset`.

    Args:
        features: of each sample.
        targets: what to read from them.

    Raises:
        ValueError: wrong shapes, or fewer than 4 samples.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 5))
        >>> reading = fit_reading(x, x[:, :1] + 3)
        >>> reading.weights.shape, bool(abs(reading.offset[0] - 3) < 0.1)
        ((5, 1), True)
    """
    check_shape("features", features.shape, ("B", "F"))
    check_shape("targets", targets.shape, ("B", "K"), B=len(features))
    half = len(features) // 2
    if half < 2:
        raise ValueError(f"decoding needs at least 4 samples, got {len(features)}")
    x, y = features.astype(np.float64), targets.astype(np.float64)
    x_mean, y_mean = x[:half].mean(0), y[:half].mean(0)
    x, y = x - x_mean, y - y_mean
    gram = x[:half].T @ x[:half]
    ridge = RIDGE * (float(np.trace(gram)) / len(gram) or 1.0)
    weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), x[:half].T @ y[:half])
    missed, varied = np.square(y[half:] - x[half:] @ weights).sum(), np.square(y[half:]).sum()
    return Reading(weights, y_mean - x_mean @ weights, float(1 - missed / varied) if varied else 0.0)


@dataclass(frozen=True, eq=False)
class SlotContents:
    """What a core's memory holds of Nth farthest; every number is a `decodability`.

    Example:
        >>> found = SlotContents(np.eye(3), np.zeros(3), by_step=0.4, reference_step=1, readings={})
        >>> found.by_label.argmax(axis=0)  # the slot that holds the vector of each label
        array([0, 1, 2])
    """

    by_label: Float[np.ndarray, "N L"]
    """How well each slot gives the vector with each label, just before the reference comes as the last."""
    from_vacant: Float[np.ndarray, " L"]
    """How well the vector with each label is read from where the reference will go; see `from_vacant`."""
    by_step: float
    """The best reading of the vector of one step, whatever its label, from any slot: what order decides."""
    reference_step: int
    """Where the reference comes in what follows, from 0."""
    readings: dict[int, dict[str, list[float]]]
    """Step -> what the memory gives of its object after each step; see `readings`."""


def slot_contents(last: RecordedMemories, middle: RecordedMemories) -> SlotContents:
    """Find out which slot holds what, and what becomes of a vector when the reference comes.

    Args:
        last: sequences whose reference comes last; take some thousand for each label.
        middle: sequences whose reference comes in the middle.

    Raises:
        ValueError: a reference at the first step, or too few sequences.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> labels = generator.permuted(np.tile(np.arange(3), (400, 1)), axis=1)  # (B, T)
        >>> vectors = generator.normal(size=(400, 3, 2))  # (B, T, K)
        >>> shown = np.tril(np.ones((3, 3)))  # after step t, slot n holds the vector of label n if shown
        >>> memories = np.einsum("ts,bsn,bsk->btnk", shown, np.eye(3)[labels], vectors)
        >>> last, middle = (RecordedMemories(memories, vectors, labels, step) for step in (2, 1))
        >>> own_slots(slot_contents(last, middle).by_label)
        {0: 0, 1: 1, 2: 2}
    """
    by_label, step, steps = slots_by_label(last), middle.reference_step, middle.labels.shape[1]
    own = own_slots(by_label)
    shown = sorted({step // 2, step, (step + steps) // 2})
    return SlotContents(
        by_label,
        from_vacant(last, by_label),
        float(slots_by_step(last).max()),
        step,
        {one: readings(middle, one, own) for one in shown},
    )


def slot_record(contents: SlotContents) -> dict[str, Any]:
    """Return the contents as plain values, ready for JSON.

    Example:
        >>> record = slot_record(SlotContents(np.eye(2), np.zeros(2), 0.25, 1, {}))
        >>> record["by_label"], record["by_step"]
        ([[1.0, 0.0], [0.0, 1.0]], 0.25)
    """
    return {
        "by_label": [[round(float(share), 4) for share in row] for row in contents.by_label],
        "from_vacant": [round(float(share), 4) for share in contents.from_vacant],
        "by_step": round(contents.by_step, 4),
        "reference_step": contents.reference_step,
        "readings": {
            str(step): {kind: [round(share, 4) for share in shares] for kind, shares in kinds.items()}
            for step, kinds in contents.readings.items()
        },
    }


def slots_by_step(recorded: RecordedMemories) -> Float[np.ndarray, "N R"]:
    """Return how well each slot, just before the reference comes, gives the vector of each step until then.

    Only then must a memory hold whole vectors: once the reference is known, distances from it will do.

    Args:
        recorded: with the reference at step R > 0.
    """
    before = _before(recorded)
    columns = [
        [decodability(before[:, slot], recorded.vectors[:, step]) for slot in range(before.shape[1])]
        for step in range(recorded.reference_step)
    ]
    return np.array(columns).T


def slots_by_label(recorded: RecordedMemories) -> Float[np.ndarray, "N L"]:
    """Return how well each slot, just before the reference comes, gives the vector with each label.

    Args:
        recorded: with the reference at step R > 0; sequences count for a label that they have shown by then.
    """
    before, shown = _before(recorded), recorded.labels[:, : recorded.reference_step]
    columns = []
    for label in range(recorded.labels.shape[1]):
        rows, steps = np.nonzero(shown == label)
        columns.append(
            [
                decodability(before[rows, slot], recorded.vectors[rows, steps])
                for slot in range(before.shape[1])
            ]
        )
    return np.array(columns).T


def own_slots(by_label: Float[np.ndarray, "N L"]) -> dict[int, int]:
    """Return label -> the slot that gives most of its vector, for the labels that have a slot of their own.

    Where none has one, as before any training, for all labels.

    Example:
        >>> own_slots(np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.8]]))
        {0: 0, 2: 1}
        >>> own_slots(np.array([[0.3, 0.1], [0.2, 0.3]]))
        {0: 0, 1: 1}
    """
    slots = by_label.argmax(0)
    found = [label for label, share in enumerate(by_label.max(0)) if share >= OWN_SHARE]
    return {label: int(slots[label]) for label in found or range(len(slots))}


def from_vacant(recorded: RecordedMemories, by_label: Float[np.ndarray, "N L"]) -> Float[np.ndarray, " L"]:
    """Return how well the vector with each label is read from the slot of the reference's, before that comes.

    A vector whose label has no slot of its own may be kept wherever there is room, and be driven out as the
    slots fill. No one slot gives it then, but the slot that is still free does. Shares are means over the
    labels that the reference can have.

    Args:
        recorded: with the reference as the last step, so that only its label has not come by then.
        by_label: what `slots_by_label` returns; a slot is a label's own from `OWN_SHARE` on.

    Returns:
        0 for a label that no other label's slot can keep.
    """
    before, shown = _before(recorded), recorded.labels[:, : recorded.reference_step]
    coming, held = recorded.labels[:, recorded.reference_step], by_label >= OWN_SHARE
    shares = []
    for label in range(by_label.shape[1]):
        found = []
        for other in range(by_label.shape[1]):
            slots = np.flatnonzero(held[:, other] & ~held[:, label])
            if len(slots):  # none where both are one label
                rows, steps = np.nonzero((shown == label) & (coming == other)[:, None])
                vectors = recorded.vectors[rows, steps]
                found.append(max(decodability(before[rows, slot], vectors) for slot in slots))
        shares.append(np.mean(found) if found else 0.0)
    return np.array(shares)


def readings(recorded: RecordedMemories, step: int, own: Mapping[int, int]) -> dict[str, list[float]]:
    """Return how well the memory, after each step, gives the object that one step shows.

    It is read from the slot of its label; a mean over the labels that have one.

    Args:
        recorded: the sequences.
        step: that shows the object.
        own: label -> its slot, what `own_slots` returns.

    Returns:
        "vector": the reading of its vector after each step; "distance": of its distance from the reference,
        without it if the object is the reference.
    """
    vectors = recorded.vectors[:, step]
    targets = {"vector": vectors}
    if step != recorded.reference_step:
        away = vectors - recorded.vectors[:, recorded.reference_step]
        targets["distance"] = np.linalg.norm(away, axis=1, keepdims=True)
    rows = [(np.flatnonzero(recorded.labels[:, step] == label), slot) for label, slot in own.items()]
    return {
        name: [
            float(
                np.mean(
                    [decodability(recorded.memories[which, now, slot], values[which]) for which, slot in rows]
                )
            )
            for now in range(recorded.labels.shape[1])
        ]
        for name, values in targets.items()
    }


def _before(recorded: RecordedMemories) -> Float[np.ndarray, "B N D"]:
    if recorded.reference_step < 1:
        raise ValueError("what slots hold is read before the reference comes: it must not be at step 0")
    return recorded.memories[:, recorded.reference_step - 1]
