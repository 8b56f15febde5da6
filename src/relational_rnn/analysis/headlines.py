"""The finding of a figure in words, worked out from the numbers that it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relational_rnn.analysis.style import percent, short_number

NEAR = 0.02
"""Scores this close to the trivial one count as it, and half as close to the best one as level with it."""
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


def _names(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= MOST_NAMED else f"{len(names)} models"


def ends_in_words(what: str, ends: Mapping[str, float]) -> str:
    """Return where curves end, the lowest first.

    Example:
        >>> ends_in_words("The training loss", {"LSTM": 0.0412, "RMC": 0.0038})
        'The training loss ends at 0.0038 for RMC, 0.041 for LSTM'
    """
    ranked = sorted(ends.items(), key=lambda pair: pair[1])
    return f"{what} ends at " + ", ".join(f"{value:.2g} for {name}" for name, value in ranked)


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
        'RMC reaches 90 % after 9000 examples; LSTM does not in every seed'
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
        told = f"{first} reaches {accuracy} after {short_number(fewest)} examples"
        told += "".join(f", {name} after {short_number(mean)}" for name, mean in others)
        missing = [name for name in needed if name not in means]
        verb = "does" if len(missing) == 1 else "do"
        return told + (f"; {_names(missing)} {verb} not in every seed" if missing else "")
    return f"No model reaches {100 * accuracies[0]:.3g} % with every seed"
