"""What each slot of a trained core holds, as linear readings that the page applies to the slot it shows.

Two things are read, for each slot and label: the point's place, after steps at which the point has come and
the reference has not, and the point's distance from the reference, after steps at which both have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from relational_rnn.analysis.decoding import HOME, Reading, fit_reading
from relational_rnn.analysis.playground.model import PlaneModel
from relational_rnn.tasks.nth_farthest import sample
from relational_rnn.tasks.splits import PICTURE

EXAMPLES = 6_000
"""Fresh sequences behind the readings: half to fit on, half to score on."""
CHUNK = 1_000


def find_readings(model: PlaneModel, examples: int = EXAMPLES) -> dict[str, Any]:
    """Fit the readings of a model on fresh sequences.

    Args:
        model: to look into.
        examples: sequences.

    Returns:
        "place" and "distance", each with "scores" (N x L lists, see `decoding.decodability`) and "readings":
        for each label the best slot's "slot", "weights" (K x D), "offset" (K) and "score"; None for a label
        that no slot gives `HOME` of.
    """
    generator = np.random.default_rng([model.contestant.seed, PICTURE])
    batch = sample(model.task, examples, generator)
    chunks = [
        np.stack(run_memories(model, batch.inputs[start : start + CHUNK]), axis=1)
        for start in range(0, examples, CHUNK)
    ]
    memories = np.concatenate(chunks)  # (B, T, N, D)
    shown, came = np.arange(model.task.steps), batch.labels == batch.reference[:, None]
    known = shown >= came.argmax(1)[:, None]  # (B, T): the reference has come by then
    references = batch.vectors[np.arange(examples), came.argmax(1)]  # (B, 2)
    found = {}
    for what, when in (("place", ~known), ("distance", known)):
        columns = []
        for label in range(model.task.objects):
            step = (batch.labels == label).argmax(1)
            vectors = batch.vectors[np.arange(examples), step]
            targets = vectors
            rows = when & (shown >= step[:, None])  # (B, T)
            if what == "distance":
                targets = np.linalg.norm(vectors - references, axis=1, keepdims=True)
                rows &= (batch.reference != label)[:, None]
            columns.append(_of_slots(memories, rows, targets))
        scores = np.array([[reading.score for reading in column] for column in columns]).T
        found[what] = {
            "scores": [[round(float(score), 4) for score in row] for row in scores],
            "readings": [_plain(column) for column in columns],
        }
    return found


def run_memories(model: PlaneModel, inputs: Float[np.ndarray, "B T F"]) -> list[Float[np.ndarray, "B N D"]]:
    """Return the memory after each step."""
    memory, found = None, []
    for step in range(inputs.shape[1]):
        _, memory = model.core.forward(inputs[:, step : step + 1], memory)
        found.append(memory)
    return found


def _of_slots(
    memories: Float[np.ndarray, "B T N D"], rows: Bool[np.ndarray, "B T"], targets: Float[np.ndarray, "B K"]
) -> list[Reading]:
    """Fit what each slot gives of the targets where `rows` says so."""
    which: Int[np.ndarray, " R"]
    which, steps = np.nonzero(rows)
    return [fit_reading(memories[which, steps, slot], targets[which]) for slot in range(memories.shape[2])]


def _plain(slots: list[Reading]) -> dict[str, Any] | None:
    """Return the best slot's reading as JSON can hold it, if it is one."""
    best = int(np.argmax([reading.score for reading in slots]))
    reading = slots[best]
    if reading.score < HOME:
        return None
    return {
        "slot": best,
        "score": round(reading.score, 4),
        "weights": [[float(f"{value:.6g}") for value in row] for row in reading.weights.T],
        "offset": [float(f"{value:.6g}") for value in reading.offset],
    }
