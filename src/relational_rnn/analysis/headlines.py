"""The finding of a figure in words, worked out from the numbers that it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relational_rnn.analysis.finding import NEAR
from relational_rnn.analysis.memory import slot_changes, slots_written, specialisation
from relational_rnn.analysis.memory_plots import gates_of, relative_changes
from relational_rnn.analysis.recorded_memory import RecordedMemory
from relational_rnn.analysis.sizes import SizeAxis
from relational_rnn.analysis.style import percent, short_number

MOST_NAMED = 4
"""Of more, the number is told."""


def joined(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    Example:
        >>> joined(["RMC", "LSTM", "DNC"])
        'RMC, LSTM and DNC'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def scores_in_words(scores: Mapping[str, float], trivial: float) -> str:
    """Return who reaches what, and who stays at the trivial score.

    Args:
        scores: label -> accuracy, 0 to 1.
        trivial: what can be had without learning.

    Example:
        >>> scores_in_words({"LSTM": 0.671, "RMC": 0.963, "DNC": 0.66, "GRU": 0.8}, 2 / 3)
        'RMC reaches 96.3 %, GRU 80.0 %; LSTM and DNC stay at the trivial 66.7 %'
    """
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    low = [(name, score) for name, score in ranked if score <= trivial + NEAR]
    high = [(name, score) for name, score in ranked if score > trivial + NEAR]
    parts = []
    if high:
        level = [name for name, score in high if score > high[0][1] - NEAR / 2]
        told = percent(high[0][1])
        worst = high[len(level) - 1][1]
        if percent(worst) != told:
            told = f"{100 * worst:.1f}\N{EN DASH}{told}"
        parts.append(f"{_names(level)} {'reaches' if len(level) == 1 else 'reach'} {told}")
        parts[0] += "".join(f", {name} {percent(score)}" for name, score in high[len(level) :])
    if low:
        below = low[-1][1] < trivial - NEAR
        verb = ("stay" if len(low) > 1 else "stays") + (" below" if below else " at")
        parts.append(f"{_names([name for name, _ in low])} {verb} the trivial {percent(trivial)}")
    else:
        parts.append(f"the trivial score is {percent(trivial)}")
    return "; ".join(parts)


def _rounded(count: float) -> str:
    """Return a count of examples in three digits."""
    return short_number(float(f"{count:.3g}"))


def _names(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= MOST_NAMED else f"{len(names)} models"


def losses_in_words(ends: Mapping[str, float]) -> str:
    """Return which models' validation loss ends lowest, and where the others' does.

    Args:
        ends: label -> the last loss.

    Example:
        >>> losses_in_words({"LSTM": 0.0412, "RMC": 0.0038, "DNC": 1.1})
        'RMC ends with the lowest validation loss, 0.0038 (LSTM 0.041, DNC 1.1)'
        >>> losses_in_words({"LSTM": 1.12, "RMC": 1.13})
        'LSTM and RMC end with a validation loss of 1.1'
    """
    ranked = sorted((float(f"{value:.2g}"), name) for name, value in ends.items())
    lowest = ranked[0][0]
    level = [name for value, name in ranked if value == lowest]
    others = [f"{name} {value:g}" for value, name in ranked if value > lowest]
    verb = "ends" if len(level) == 1 else "end"
    if not others:
        return f"{_names(level)} {verb} with a validation loss of {lowest:g}"
    return f"{_names(level)} {verb} with the lowest validation loss, {lowest:g} ({', '.join(others)})"


def efficiency_in_words(
    needed: Mapping[str, Sequence[Sequence[float | None]]], accuracies: Sequence[float]
) -> str:
    """Return how many examples models need to the highest accuracy that all seeds of one reach.

    Args:
        needed: label -> for each training the examples until each accuracy, None for never.
        accuracies: to reach, rising.

    Example:
        >>> needed = {"LSTM": [[3000, None]], "RMC": [[2000, 9000]]}
        >>> efficiency_in_words(needed, [0.5, 0.9])
        'RMC reaches 90 % after 9000 examples, LSTM never'
    """
    for place in range(len(accuracies) - 1, -1, -1):
        means = {}
        for name, trainings in needed.items():
            found = [one[place] for one in trainings]
            reached = [value for value in found if value is not None]
            if len(reached) == len(found):
                means[name] = sum(reached) / len(reached)
        if not means:
            continue
        accuracy = f"{100 * accuracies[place]:.3g} %"
        (first, fewest), *others = sorted(means.items(), key=lambda pair: pair[1])
        told = f"{first} reaches {accuracy} after {_rounded(fewest)} examples"
        told += "".join(f", {name} after {_rounded(mean)}" for name, mean in others)
        missing = [name for name in needed if name not in means]
        several = max(len(trainings) for trainings in needed.values()) > 1
        never = "not with every seed" if several else "never"
        return told + (f", {_names(missing)} {never}" if missing else "")
    return f"No model reaches {100 * accuracies[0]:.3g} % with all its trainings"


def larger_in_words(axes: Sequence[SizeAxis]) -> str:
    """Return which model keeps most at the largest sizes, and whether that is more than the trivial score.

    Args:
        axes: what `generalisation` draws.
    """
    told = []
    for axis in axes:
        means = {
            model.name: [sum(scores) / len(scores) for scores in zip(*model.accuracies)]
            for model in axis.models
        }
        best = max(means, key=lambda name: means[name][-1])
        left, trivial = means[best][-1], axis.trivial[-1]
        where = f"at {axis.name} {axis.sizes[-1]} instead of {axis.trained}"
        if left > trivial + NEAR:
            told.append(f"{where} {best} keeps {percent(left)}, the trivial score is {percent(trivial)}")
        else:
            told.append(f"{where} no model beats the trivial {percent(trivial)}")
    sentence = "; ".join(told)
    return sentence[:1].upper() + sentence[1:]


def cost_in_words(milliseconds: Mapping[str, float]) -> str:
    """Return which model trains fastest, and how much slower the others are.

    Example:
        >>> cost_in_words({"RMC": 0.36, "LSTM": 0.12})
        'LSTM trains fastest, 0.12 ms per example; RMC takes 3.0 times as long'
    """
    (first, least), *others = sorted(milliseconds.items(), key=lambda pair: pair[1])
    if not others:
        return f"{first} trains at {least:.3g} ms per example"
    slower = [f"{name} takes {value / max(least, 1e-12):.1f} times as long" for name, value in others[:1]]
    slower += [f"{name} {value / max(least, 1e-12):.1f} times" for name, value in others[1:]]
    return f"{first} trains fastest, {least:.3g} ms per example; {', '.join(slower)}"


def memory_in_words(models: Mapping[str, RecordedMemory]) -> str:
    """Return how much the slots of each model differ at the end."""
    shares = {
        name: float(specialisation(one.memories)[-1])
        for name, one in models.items()
        if one.memories.shape[2] > 1
    }
    if not shares:
        return f"The state of {joined(list(models))} over the steps"
    told = joined([f"{percent(share)} of the memory of {name}" for name, share in shares.items()])
    return f"After the last step {told} differs between slots"


def changes_in_words(models: Mapping[str, RecordedMemory]) -> str:
    """Return at which step each memory changes most."""
    told = []
    for name, one in models.items():
        changes = relative_changes(one).mean(1)
        step = int(changes[1:].argmax()) + 1 if len(changes) > 1 else 0
        told.append(f"{name} at step {step + 1} (by {100 * changes[step]:.0f} %)")
    return f"After the first step, memory changes most: {', '.join(told)}"


def gates_in_words(models: Mapping[str, RecordedMemory]) -> str:
    """Return how much of the new and of the old each model's gates let through on average."""
    told = []
    for name, one in models.items():
        if one.forget_gate is not None:
            taken, kept = (100 * float(gate.mean()) for gate in gates_of(one))
            told.append(f"{name} keeps {kept:.0f} % of the old and takes in {taken:.0f} % of the new")
    return "; ".join(told)


def usage_in_words(models: Mapping[str, RecordedMemory]) -> str:
    """Return over how many of its slots each model spreads what it writes."""
    told = []
    for name, one in models.items():
        slots = one.memories.shape[2]
        if slots > 1:
            written = slots_written(slot_changes(one.memories, one.initial))
            told.append(f"{name} spreads what it writes over {written:.1f} of {slots} slots")
    return "; ".join(told) if told else f"How far the state of {joined(list(models))} moves"
