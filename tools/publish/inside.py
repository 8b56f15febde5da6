"""Tables of what the slots of an RMC hold, where its heads look and what its mistakes are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from relational_rnn.analysis.decoding import OWN_SHARE
from relational_rnn.training.files import read_json
from tools.publish.nth_farthest import run_label
from tools.publish.records import Json, Record
from tools.publish.text import ONE_SEED, head, markdown, percent


def slots_table(records: Sequence[Record]) -> str:
    """Return what the slots hold, a column a run."""
    return _columns_table(
        [run_label(record) for record in records], [r.content for r in records], slots_found
    )


def mistakes_table(records: Sequence[Record]) -> str:
    """Return what the mistakes are like, a column a run."""
    return _columns_table([run_label(r) for r in records], [r.content for r in records], mistakes_found)


def pretrained_table(path: Path, table: str) -> str:
    """Return a table of a packaged core.

    Args:
        path: what `figures.draw_pretrained` wrote of it.
        table: "slots", "mistakes" or "attention".
    """
    content = read_json(path)
    if table == "attention":
        return attention_table(content["attention"])
    return _columns_table([path.stem], [content], slots_found if table == "slots" else mistakes_found)


def _columns_table(
    labels: Sequence[str], contents: Sequence[Json], describe: Callable[[Json], dict[str, str]]
) -> str:
    columns = [describe(content) for content in contents]
    rows = [[row, *(column[row] for column in columns)] for row in columns[0]]
    return markdown([f"what, {ONE_SEED} a column", *labels], rows)


def slots_found(record: Json) -> dict[str, str]:
    """Return what the slots of a run's RMC hold by what it is, and what that makes of the answers."""
    slots, mistakes = record["slots"], record["mistakes"]["rmc"]
    labels = list(zip(*slots["by_label"]))
    found = [share for label in labels for share in label]
    own, elsewhere = ([s for s in found if (s >= OWN_SHARE) == one] for one in (True, False))
    held = f"{percent(min(own))} to {percent(max(own))}" if own else "-"
    lacking = [label for label, shares in enumerate(labels) if max(shares) < OWN_SHARE]
    without = f", not label {' and '.join(map(str, lacking))}" if lacking else ""
    moving = [slots["from_vacant"][label] for label in lacking]
    answered = [mistakes["answer"][label] for label in lacking]
    first, came, shown = sorted(map(int, slots["readings"]))
    earlier, later = slots["readings"][str(first)], slots["readings"][str(shown)]
    return {
        "labels with a slot of their own": f"{len(labels) - len(lacking)} of {len(labels)}{without}",
        "a label's vector from its own slot": held,
        "labels with two slots of their own": str(sum(sorted(shares)[-2] >= OWN_SHARE for shares in labels)),
        "a label's vector from any other slot": f"at most {percent(max(elsewhere))}",
        "without a slot of its own: from the one that is still free": ", ".join(map(percent, moving)) or "-",
        "accuracy where such a label is the answer": ", ".join(map(percent, answered)) or "-",
        "accuracy over all questions": percent(mistakes["accuracy"]),
        "the vector of one step, whatever its label": f"at most {percent(slots['by_step'])}",
        "an earlier vector, before and after the reference comes": _change(earlier["vector"], came),
        "its distance from the reference, before and after": _change(earlier["distance"], came),
        "the vector of an object that comes after the reference": percent(later["vector"][shown]),
        "its distance from the reference": percent(later["distance"][shown]),
    }


def mistakes_found(record: Json) -> dict[str, str]:
    """Return what the mistakes of a run's RMC are like by what it is."""
    mistakes = record["mistakes"]["rmc"]
    closest, *others = mistakes["margin"]
    rest = sum(part["accuracy"] for part in others) / len(others)
    return {
        "mistakes that name a neighbour in order": percent(mistakes["one_rank_off"]),
        "mean margin of the closest tenth of the questions": f"{closest['mean']:.3f}",
        "mistakes that are among these": percent(closest["share_of_mistakes"]),
        "accuracy on these": percent(closest["accuracy"]),
        "accuracy on the other nine tenths": percent(rest),
    }


def _change(shares: Sequence[float], step: int) -> str:
    return f"{percent(shares[step - 1])}, then {percent(shares[step])}"


def attention_table(shares: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Return where the heads look, a row a head: `analysis.attention_shares`."""
    phases = {"before": "before the reference", "reference": "when it comes", "after": "after it"}
    columns = [f"{what}, {told}" for what in ("input", "itself") for told in phases.values()]
    found = [shares[what][phase] for what in ("input", "itself") for phase in phases]
    rows = [[str(number), *map(percent, cells)] for number, cells in enumerate(zip(*found), start=1)]
    return markdown([head("head", 1), *columns], rows)
