"""What the report of a run shows, as plain values: pure functions of its results and of what was recorded."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.analysis.curves import Curve
from relational_rnn.analysis.losses import Line, Losses
from relational_rnn.analysis.recorded_memory import RecordedMemory
from relational_rnn.analysis.style import colour_of, marker_of

MOST_POINTS = 120
"""Of a curve; a longer one keeps every second, third, ... point and the last."""

ROOM = 210_000
"""Bytes of recorded steps on a page, before base64 makes four of three: a page stays under 500 kB."""

TEXT_ROOM = 90_000
"""Characters of examples on a page."""


class Answered(NamedTuple):
    """A test example, and what each model answers."""

    question: str
    """As a person reads it, without the answer."""
    answer: str
    """The right one."""
    kind: str | None
    """Kind of question; None where all are alike."""
    told: Mapping[str, str]
    """Model -> its answer."""
    right: Mapping[str, bool]
    """Model -> whether all of its answer is right."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What a model did at each step of some test examples."""

    memory: RecordedMemory | None
    """None for a Transformer, which has none."""
    attention: Float[np.ndarray, "E T blocks H N M"] | None
    """Of a Transformer N is 1: the newest step over the steps so far."""


@dataclass(frozen=True, eq=False)
class Looked:
    """Test examples, the answers, and what the models did inside."""

    answered: Sequence[Answered]
    """Some of the test examples."""
    watched: Mapping[str, Watched]
    """By model."""
    shown: Sequence[int]
    """Which of `answered` were watched."""
    steps: Sequence[Sequence[str]]
    """For each of those the words of its steps."""
    notes: Sequence[str]
    """What is missing and why."""


NOTHING = Looked((), {}, (), (), ())
"""Of a run whose models cannot be loaded."""


def model_values(models: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name, label, colour and mark of each model, as all figures have them."""
    return [
        {"name": name, "label": model.label, "colour": colour_of(name), "mark": marker_of(name)}
        for name, model in models.items()
    ]


def curve_values(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Return the curves' points, thinned and rounded.

    Example:
        >>> curve_values([Curve("RMC", "rmc", [1.0, 2.0], [64, 128], [0.5, 0.87654])])[0]["values"]
        [0.5, 0.8765]
    """
    found = []
    for curve in curves:
        chosen = thinned(len(curve.accuracy))

        def some(values: Sequence[float], chosen: Sequence[int] = chosen) -> list[float]:
            return [round(values[at], 4) for at in chosen] if values else []

        parts = ("examples", "seconds", "low", "high")
        points = {"values": some(curve.accuracy), **{part: some(getattr(curve, part)) for part in parts}}
        found.append({"label": curve.name, "model": curve.model, "colour": colour_of(curve.model), **points})
    return found


def loss_values(losses: Sequence[Losses]) -> list[dict[str, Any]]:
    """Return the losses on training batches and on validation examples, thinned and rounded.

    Example:
        >>> line = Line([64, 128], [2.0, 0.123456], [], [])
        >>> loss_values([Losses("RMC", "rmc", line, line)])[0]["training"]["values"]
        [2.0, 0.1235]
    """

    def points(line: Line) -> dict[str, list[float]]:
        chosen = thinned(len(line.loss))
        return {
            "examples": [round(line.examples[at]) for at in chosen],
            "values": [float(f"{line.loss[at]:.4g}") for at in chosen],
            "low": [float(f"{line.low[at]:.4g}") for at in chosen] if line.low else [],
            "high": [float(f"{line.high[at]:.4g}") for at in chosen] if line.high else [],
        }

    return [
        {
            "label": one.name,
            "model": one.model,
            "colour": colour_of(one.model),
            "training": points(one.training),
            "validation": points(one.validation),
        }
        for one in losses
    ]


def thinned(count: int) -> list[int]:
    """Return which of `count` points are kept: every first, second, third, ... and the last."""
    return [*range(0, count - 1, -(-count // MOST_POINTS)), count - 1]


def example_values(answered: Sequence[Answered], room: int = TEXT_ROOM) -> list[dict[str, Any]]:
    """Return as many of the examples as `room` characters hold, at least one."""
    found: list[dict[str, Any]] = []
    size = 0
    for one in answered:
        size += len(one.question) + len(one.answer) + sum(map(len, one.told.values())) + 60
        if found and size > room:
            break
        found.append(one._asdict())
    return found


def inside_values(looked: Looked, room: int = ROOM) -> dict[str, Any]:
    """Return the recorded steps as bytes in base64, of as many examples and steps as fit into `room` bytes.

    Where not even one example fits, the page shows the last steps of it.

    Args:
        looked: what was recorded.
        room: bytes.

    Returns:
        shown, steps (words), first (the first step that is shown, from 0), cut (whether there are more
        examples or steps than are shown), and models: for each what `_watched_values` returns.
    """
    if not looked.watched:
        return {"shown": [], "steps": [], "first": 0, "cut": False, "models": {}}
    length = len(looked.steps[0])
    count, first = len(looked.shown), 0
    while count > 1 and _size(looked, count, first) > room:
        count -= 1
    while first < length - 1 and _size(looked, count, first) > room:
        first += 1
    return {
        "shown": list(looked.shown[:count]),
        "steps": [list(words[first:]) for words in looked.steps[:count]],
        "first": first,
        "cut": count < len(looked.shown) or first > 0,
        "models": {name: _watched_values(one, count, first) for name, one in looked.watched.items()},
    }


def _parts(watched: Watched, count: int, first: int) -> dict[str, np.ndarray]:
    """Return what is shown of a model: attention, gates as means over a slot's features, norms of slots."""
    parts = {}
    if watched.attention is not None:
        shown = watched.attention[:count, first:]
        over_steps = watched.memory is None
        parts["attention"] = np.nan_to_num(shown[..., first:] if over_steps else shown)
    if watched.memory is not None:
        for name in ("input_gate", "forget_gate"):
            gate = getattr(watched.memory, name)
            if gate is not None:
                parts[name] = gate[:count, first:].mean(-1)  # (E, T, N)
        parts["norms"] = np.linalg.norm(watched.memory.memories[:count, first:], axis=-1)  # (E, T, N)
    return parts


def _size(looked: Looked, count: int, first: int) -> int:
    """Return the bytes of so many examples from a step on, without making them."""
    size = 0
    for watched in looked.watched.values():
        if watched.attention is not None:
            _, length, *others, columns = watched.attention.shape
            seen = columns - first if watched.memory is None else columns
            size += count * (length - first) * int(np.prod(others)) * seen
        if watched.memory is not None:
            _, length, slots, _ = watched.memory.memories.shape
            size += 3 * count * (length - first) * slots
    return size


def _watched_values(watched: Watched, count: int, first: int) -> dict[str, Any]:
    """Return each part of a model as its shape, what 255 stands for, and a byte for each number."""
    found: dict[str, Any] = {"transformer": watched.memory is None}
    return found | {name: coded(name, values) for name, values in _parts(watched, count, first).items()}


def coded(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return numbers as their shape, what 255 stands for (1 in a gate), and a byte for each."""
    top = 1.0 if name.endswith("gate") else float(np.nan_to_num(values, posinf=0.0).max()) or 1.0
    scaled = np.clip(np.nan_to_num(values, posinf=top) / top, 0, 1) * 255
    return {"shape": list(values.shape), "top": round(top, 5), "bytes": in_base64(np.rint(scaled))}


def in_base64(numbers: np.ndarray) -> str:
    """Return whole numbers from 0 to 255 as bytes in base64."""
    return base64.b64encode(numbers.astype(np.uint8).tobytes()).decode()


def attention_words(watched: Watched, label: str) -> str | None:
    """Return in a sentence where attention goes on average, beside what it would be if it were uniform.

    Args:
        watched: a model.
        label: what people call it.

    Returns:
        The sentence; None for a model without attention.
    """
    if watched.attention is None:
        return None
    columns = watched.attention.shape[-1]
    if watched.memory is None:
        newest = np.array([watched.attention[:, t, ..., t].mean() for t in range(columns)])
        uniform = np.mean([1 / (t + 1) for t in range(columns)])
        return (
            f"On average each step of the {label} gives itself {100 * newest.mean():.0f} % of its attention; "
            f"if it looked at all steps so far alike, it would be {100 * uniform:.0f} %."
        )
    return slot_words(watched.attention, label)


def slot_words(attention: np.ndarray, label: str) -> str:
    """Return in a sentence what slots attend to on average.

    Args:
        attention: (..., N, M), from each slot to each slot and, where M is larger, the input.
        label: what people call the model.
    """
    slots, columns = attention.shape[-2:]
    if columns == slots:
        own = np.trace(attention, axis1=-2, axis2=-1).mean() / slots
        return (
            f"On average a slot of the {label} gives {100 * own:.0f} % of its attention to itself; "
            f"if it looked at all slots alike, it would be {100 / slots:.0f} %."
        )
    share = attention[..., slots:].sum(-1).mean()
    uniform = (columns - slots) / columns
    return (
        f"On average a slot of the {label} gives {100 * share:.0f} % of its attention to the input; "
        f"if it looked at everything alike, it would be {100 * uniform:.0f} %."
    )
