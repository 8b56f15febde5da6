"""What a trained core's memory holds, as linear readings that the page applies to the memory it shows.

Two things are read: each point's place, after steps at which the point has come and the reference has not,
and each point's distance from the reference, after steps at which both have. The page reads them from all
slots together; how well each slot gives them alone says where they are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from relational_rnn.analysis.decoding import OWN_SHARE, Reading, fit_reading
from relational_rnn.analysis.playground.model import PlaneModel
from relational_rnn.tasks.nth_farthest import sample
from relational_rnn.tasks.splits import PICTURE

CHUNK = 1_000
"""Sequences run at once."""


def find_readings(model: PlaneModel, examples: int) -> dict[str, Any]:
    """Fit the readings of a model on fresh sequences.

    Args:
        model: to look into.
        examples: sequences: half of what they give is fitted on, half scored on.

    Returns:
        "place" and "distance", each with "slots", how well each slot alone gives each label's (N x L, see
        `decoding.decodability`), and "readings", for each label the one from all slots: "score", "weights"
        (K x N D) and "offset" (K); None for a label whose score is below `OWN_SHARE`.
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
        alone, together = [], []
        for label in range(model.task.objects):
            step = (batch.labels == label).argmax(1)
            targets = batch.vectors[np.arange(examples), step]
            rows = when & (shown >= step[:, None])  # (B, T)
            if what == "distance":
                targets = np.linalg.norm(targets - references, axis=1, keepdims=True)
                rows &= (batch.reference != label)[:, None]
            which, steps = np.nonzero(rows)
            seen, wanted = memories[which, steps], targets[which]  # (R, N, D), (R, K)
            alone.append([fit_reading(slot, wanted).score for slot in seen.swapaxes(0, 1)])
            together.append(_plain(fit_reading(seen.reshape(len(seen), -1), wanted)))
        slots = [[round(score, 4) for score in scores] for scores in zip(*alone, strict=True)]
        found[what] = {"slots": slots, "readings": together}
    return found


def run_memories(model: PlaneModel, inputs: Float[np.ndarray, "B T F"]) -> list[Float[np.ndarray, "B N D"]]:
    """Return the memory after each step."""
    memory, found = None, []
    for step in range(inputs.shape[1]):
        _, memory = model.core.forward(inputs[:, step : step + 1], memory)
        found.append(memory)
    return found


def _plain(reading: Reading) -> dict[str, Any] | None:
    """Return a reading as JSON can hold it, if it is one."""
    if reading.score < OWN_SHARE:
        return None
    return {
        "score": round(reading.score, 4),
        "weights": [[float(f"{value:.5g}") for value in row] for row in reading.weights.T],
        "offset": [float(f"{value:.5g}") for value in reading.offset],
    }
