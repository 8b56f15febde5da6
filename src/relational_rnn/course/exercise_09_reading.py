"""The checks of exercise 9: what memories look like, probes, and slots that change their owner."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from relational_rnn import analysis
from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare, unpack
from relational_rnn.reference import RelationalMemory

SAMPLES, STEPS, SLOTS, WIDTH = 6, 4, 3, 5
CLASSES: Final = 4


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def changes(slot_changes: Function) -> None:
    """Six samples, four steps, three slots of five features."""
    memories, initial = draw(SAMPLES, STEPS, SLOTS, WIDTH), draw(SAMPLES, SLOTS, WIDTH, seed=1)
    before = np.concatenate([initial[:, None], memories[:, :-1]], axis=1)
    steps = memories - before
    right = analysis.slot_changes(memories, initial)
    compare(
        "The result",
        slot_changes(memories, initial),
        right,
        {
            "The first step is missing: it starts from the initial memory.": right[1:],
            "The first step is measured from 0; it starts from the initial memory.": np.linalg.norm(
                np.concatenate([memories[:, :1], steps[:, 1:]], axis=1), axis=3
            ).mean(axis=0),
            "That is the length of the mean change. Changes in opposite directions cancel in it; take each "
            "sample's length first.": np.linalg.norm(steps.mean(axis=0), axis=2),
            "That is how long the slots are, not how far they moved.": analysis.slot_norms(memories),
            "That is the squared length.": np.square(steps).sum(axis=3).mean(axis=0),
            "The first step is measured from the last memory, as np.roll does; start from the initial one.": (
                np.linalg.norm(memories - np.roll(memories, 1, axis=1), axis=3).mean(axis=0)
            ),
            "The first step is measured from itself; it starts from the initial memory.": np.linalg.norm(
                memories - np.concatenate([memories[:, :1], memories[:, :-1]], axis=1), axis=3
            ).mean(axis=0),
            "That is the sum over the samples; take the mean.": SAMPLES * right,
            "Changes have a sign, and cancel in a sum: a length is the root of the sum of squares.": (
                steps.sum(axis=3).mean(axis=0),
                steps.mean(axis=(0, 3)),
            ),
            "That is the sum of absolute changes; a Euclidean length is the root of the sum of squares.": (
                np.abs(steps).sum(axis=3).mean(axis=0),
                np.abs(steps).mean(axis=(0, 3)),
            ),
            "The squares are averaged over the features; a length is the root of their sum.": (
                np.sqrt(np.square(steps).mean(axis=3)).mean(axis=0),
                np.sqrt(np.square(steps).mean(axis=(0, 3))),
            ),
            "That is the root of a mean over the samples; take each sample's length, then the mean.": np.sqrt(
                np.square(steps).sum(axis=3).mean(axis=0)
            ),
            "That is the largest change of any sample; take the mean.": np.linalg.norm(steps, axis=3).max(
                axis=0
            ),
            "The changes are measured from the initial memory; take the step before.": np.linalg.norm(
                memories - initial[:, None], axis=3
            ).mean(axis=0),
        },
    )


def weight_on_the_input(input_share: Function) -> None:
    """Six samples, four steps, two heads, three slots that ask, four rows."""
    scores = np.exp(draw(SAMPLES, STEPS, 2, SLOTS, SLOTS + 1))
    attention = scores / scores.sum(axis=-1, keepdims=True)
    last = attention[..., -1]
    compare(
        "The result",
        input_share(attention),
        last.mean(axis=(0, 3)),
        {
            "That is the weight on the first slot; the input's row is the last.": attention[..., 0].mean(
                axis=(0, 3)
            ),
            "That is the weight that the last slot gives to all rows: the last axis is the rows that are "
            "looked at.": attention[..., -1, :].mean(axis=(0, 3)),
            "It is the sum over the slots; take the mean.": last.mean(axis=0).sum(axis=2),
            "It is the sum over the samples; take the mean.": last.sum(axis=0).mean(axis=2),
            "It is the sum over samples and slots; take the mean.": last.sum(axis=(0, 3)),
            "That is the weight on the slots' own rows; the input's row is the last.": (
                attention[..., :-1].mean(axis=(0, 3, 4)),
                attention[..., :-1].sum(axis=-1).mean(axis=(0, 3)),
            ),
            "The heads are averaged too; keep them apart, (T, H).": last.mean(axis=(0, 2, 3)),
        },
    )


def rank_of_known_memories(effective_rank: Function) -> None:
    """Slots that are equal: 1; orthogonal and of equal length: 3; two of three equal: in between."""
    equal, apart = np.ones((SLOTS, WIDTH)), np.eye(SLOTS, WIDTH)
    partly = apart.copy()
    partly[1] = partly[0]
    _rank(effective_rank, np.repeat(np.stack([equal, apart, partly])[None], 2, axis=0))


def rank_of_batches(effective_rank: Function) -> None:
    """Six samples, four steps, three slots of five features."""
    _rank(effective_rank, draw(SAMPLES, STEPS, SLOTS, WIDTH))


def _perplexity(shares: Array) -> Array:
    result: Array = np.exp(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=-1))
    return result


def _rank(effective_rank: Function, memories: Array) -> None:
    singular = np.linalg.svd(memories, compute_uv=False)
    squares, shares2 = singular**2, (_shares(memories) ** 2).sum(axis=-1)
    ranks = _perplexity(_shares(memories))
    got = effective_rank(memories)
    if isinstance(got, np.ndarray) and np.isnan(got).any():
        raise WrongAnswer(
            f"It is NaN at step {int(np.isnan(got).argmax())}, where a singular value is 0: 0 log 0 is 0."
        )
    compare(
        "The result",
        got,
        analysis.effective_rank(memories),
        {
            "The shares are those of the squared singular values; leave the square out.": _perplexity(
                squares / squares.sum(axis=-1, keepdims=True)
            ).mean(axis=0),
            "That is the entropy; the rank is exp of it.": np.log(ranks).mean(axis=0),
            "The minus is missing: exp(-Σ p log p).": (
                (1 / ranks).mean(axis=0),
                -np.log(ranks).mean(axis=0),
            ),
            "The logarithm is that of base 2 or 10, and exp undoes the natural one: np.log.": (
                (ranks ** (1 / np.log(2))).mean(axis=0),
                (ranks ** (1 / np.log(10))).mean(axis=0),
            ),
            "The logarithm is natural, and 2 ** or 10 ** does not undo it: np.exp.": (
                (2 ** np.log(ranks)).mean(axis=0),
                (10 ** np.log(ranks)).mean(axis=0),
            ),
            "That is the sum over the samples; take the mean.": ranks.sum(axis=0),
            "That is 1 / Σ p², another count of directions; here it is exp of the entropy.": (
                (1 / shares2).mean(axis=0),
                1 / shares2.mean(axis=0),
            ),
            "The singular values are divided by the largest; divide by their sum.": _perplexity(
                singular / singular.max(axis=-1, keepdims=True)
            ).mean(axis=0),
            "The singular values are not divided by their sum.": _perplexity(singular).mean(axis=0),
            "All singular values are divided by one sum; each matrix has its own, over the last axis.": (
                _perplexity(singular / singular.sum()).mean(axis=0)
            ),
            "That is exp of the mean entropy; take exp for each sample, then the mean.": np.exp(
                np.log(ranks).mean(axis=0)
            ),
            "That is the rank as linear algebra counts it, which takes the smallest direction for a whole "
            "one.": np.linalg.matrix_rank(memories).mean(axis=0),
            "That is the rank of the mean memory; take each sample's.": _perplexity(
                _shares(memories.mean(0))
            ),
        },
    )


def _shares(memories: Array) -> Array:
    singular = np.linalg.svd(memories, compute_uv=False)
    shares: Array = singular / singular.sum(axis=-1, keepdims=True)
    return shares


def _labelled(samples: int, count: int = CLASSES) -> tuple[Array, Array]:
    """Return features (S, 5) that depend on a class and noise, not centred, and the classes."""
    generator = np.random.default_rng(3)
    classes = generator.integers(count, size=samples)
    features = generator.standard_normal((count, WIDTH))[classes] + 2
    return features + generator.standard_normal(features.shape), classes


def _probe(features: Array, classes: Array, penalty: float, count: int = CLASSES) -> tuple[Array, Array]:
    targets = np.eye(count)[classes]
    x, y = features - features.mean(axis=0), targets - targets.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(WIDTH), x.T @ y).T
    return weights, targets.mean(axis=0) - weights @ features.mean(axis=0)


def probe(fit_probe: Function) -> None:
    """Forty samples of five features, four classes, penalty 2."""
    features, classes = _labelled(40)
    weights, bias = _probe(features, classes, 2.0)
    got = unpack(("weights", "bias"), fit_probe(features, classes, CLASSES, 2.0))
    targets = np.eye(CLASSES)[classes]
    x = features - features.mean(axis=0)
    ones = np.concatenate([features, np.ones((40, 1))], axis=1)
    with_bias = np.linalg.solve(ones.T @ ones + 2.0 * np.eye(WIDTH + 1), ones.T @ targets).T
    through_0 = np.linalg.solve(features.T @ features + 2.0 * np.eye(WIDTH), features.T @ targets).T
    of_numbers = np.linalg.solve(x.T @ x + 2.0 * np.eye(WIDTH), x.T @ (classes - classes.mean()))
    compare(
        "weights",
        got[0],
        weights,
        {
            "The classes are used as numbers, though class 2 is not twice class 1; make one-hot codes, "
            "np.eye(count)[classes].": (of_numbers, of_numbers[None], of_numbers[:, None]),
            "There is no penalty: add λ to the diagonal of XᵀX.": _probe(features, classes, 0.0)[0],
            "The penalty is 1; `penalty` was 2.": _probe(features, classes, 1.0)[0],
            "The penalty is multiplied by the number of samples; it is λ Σ W² as it stands.": _probe(
                features, classes, 2.0 * 40
            )[0],
            "The bias is penalised as well: centre the features and the codes first.": with_bias[:, :-1],
            "Features and codes are not centred, so the line goes through 0.": through_0,
            "Only the codes are centred; centre the features too, and the penalty spares the bias.": (
                np.linalg.solve(
                    features.T @ features + 2.0 * np.eye(WIDTH), features.T @ (targets - targets.mean(axis=0))
                ).T
            ),
            "The penalty is added to every entry of XᵀX; it belongs on the diagonal, λ np.eye(D).": (
                np.linalg.solve(x.T @ x + 2.0, x.T @ targets).T
            ),
            "The penalty is squared; it is λ as it stands.": _probe(features, classes, 4.0)[0],
            "They are transposed: (C, D).": weights.T,
        },
    )
    compare(
        "bias",
        got[1],
        bias,
        {
            "That is the mean of the codes; at the features' mean, W times it is in there already.": (
                targets.mean(axis=0)
            ),
            "The codes' mean is missing: b is that minus W times the features' mean.": bias
            - targets.mean(axis=0),
            "The bias is 0; it is the codes' mean minus W times the features' mean.": np.zeros(CLASSES),
            "The sign is wrong: b is the codes' mean minus W times the features' mean.": targets.mean(axis=0)
            + weights @ features.mean(axis=0),
        },
    )


def probe_by_default(fit_probe: Function) -> None:
    """No penalty given: 1."""
    features, classes = _labelled(30)
    weights, bias = _probe(features, classes, 1.0)
    got = unpack(("weights", "bias"), fit_probe(features, classes, CLASSES))
    compare("weights", got[0], weights)
    compare("bias", got[1], bias)


def probe_of_an_absent_class(fit_probe: Function) -> None:
    """Six classes, of which the last two have no sample: their weights are 0, and are there."""
    features, classes = _labelled(30)
    weights, bias = _probe(features, classes, 1.0, CLASSES + 2)
    got = unpack(("weights", "bias"), fit_probe(features, classes, CLASSES + 2))
    counted = "The classes are counted in `classes`; how many there are says `count`."
    compare("weights", got[0], weights, {counted: weights[:CLASSES]})
    compare("bias", got[1], bias, {counted: bias[:CLASSES]})


def accuracy(probe_accuracy: Function) -> None:
    """Sixty samples of four classes, of which the first thirty are to fit."""
    _accuracy(probe_accuracy, CLASSES)


def accuracy_of_seven_classes(probe_accuracy: Function) -> None:
    """The same with seven classes."""
    _accuracy(probe_accuracy, 7)


def _accuracy(probe_accuracy: Function, count: int) -> None:
    features, classes = _labelled(60, count)

    def score(fitted: slice, scored: slice) -> float:
        weights, bias = _probe(features[fitted], classes[fitted], 1.0, count)
        told = (features[scored] @ weights.T + bias).argmax(axis=1)
        return float((told == classes[scored]).mean())

    first, second, every = slice(0, 30), slice(30, 60), slice(0, 60)
    right = score(first, second)
    weights, _ = _probe(features[first], classes[first], 1.0, count)
    try:
        got = probe_accuracy(features, classes, count)
    except WrongAnswer as wrong:
        if f"({count},) (30,)" in str(wrong):
            raise WrongAnswer(
                "argmax runs over the samples and gives one for each class; the classes are axis 1."
            ) from wrong
        raise
    compare(
        "The accuracy",
        got,
        right,
        {
            "It is scored on the samples it was fitted on, and so flatters: score the second half.": score(
                first, first
            ),
            "It is fitted and scored on all samples: fit on the first half, score the second.": score(
                every, every
            ),
            "It was fitted on the samples that it is scored on too: fit on the first half alone.": score(
                every, second
            ),
            "The bias is left out.": float(
                ((features[second] @ weights.T).argmax(axis=1) == classes[second]).mean()
            ),
            "That is the number of right answers; take their share.": 30 * right,
            "That is the share of wrong answers.": 1 - right,
            "The halves are swapped: the first one is to fit.": score(second, first),
        },
    )


def map_of_slots(probe_map: Function) -> None:
    """Slot 1 holds one of four classes from step 2 on, all else is noise; 400 samples."""
    _map(probe_map, CLASSES)


def map_of_five_classes(probe_map: Function) -> None:
    """The same with five classes."""
    _map(probe_map, CLASSES + 1)


def _map(probe_map: Function, count: int) -> None:
    generator = np.random.default_rng(0)
    classes = generator.integers(count, size=400)
    memories = generator.standard_normal((400, STEPS, SLOTS, WIDTH))
    memories[:, 2:, 1, :count] += 5 * np.eye(count)[classes][:, None]
    right = np.empty((STEPS, SLOTS))
    for t, n in np.ndindex(right.shape):
        weights, bias = _probe(memories[:200, t, n], classes[:200], 1.0, count)
        told = (memories[200:, t, n] @ weights.T + bias).argmax(axis=1)
        right[t, n] = (told == classes[200:]).mean()
    try:
        got = probe_map(memories, classes, count)
    except WrongAnswer as wrong:
        if isinstance(wrong.__cause__, IndexError):
            raise WrongAnswer(
                f"Memories are (S, T, N, D): memories[:, t, n], step before slot. {wrong}"
            ) from wrong
        raise
    compare(
        "The map",
        got,
        right,
        {
            "Steps and slots are swapped: (T, N).": right.T,
            "All slots of a row are the same: probe memories[:, t, n], one slot at a time.": np.repeat(
                right[:, :1], SLOTS, axis=1
            ),
        },
    )


class Keeping:
    """A core that keeps each array it returned, and a copy of it."""

    def __init__(self, core: RelationalMemory) -> None:
        self.core, self.kept = core, list[tuple[Array, Array]]()

    def forward(self, *given: Any, **named: Any) -> tuple[Any, ...]:
        """Return what the core does."""
        returned = self.core.forward(*given, **named)
        self.kept += [(one, one.copy()) for one in returned if isinstance(one, np.ndarray)]
        return returned

    def __getattr__(self, name: str) -> Any:
        """Return what else the core has."""
        return getattr(self.core, name)


def slots_of_another(transplant: Function) -> None:
    """A core with random weights; slots 0 and 2 change their owner after 2 of 5 steps, slot 1 after 3."""
    for step, slots in ((2, [0, 2]), (3, [1])):
        _transplant(transplant, step, slots)


def _transplant(transplant: Function, step: int, slots: list[int]) -> None:
    core = RelationalMemory(3, SLOTS, head_size=WIDTH, seed=1)
    inputs = draw(SAMPLES, STEPS + 1, 3)
    others = [slot for slot in range(SLOTS) if slot not in slots]

    def mixed(memory: Array, donor: Array, slots: list[int] = slots) -> Array:
        result = memory.copy()
        result[:, slots] = donor[:, slots]
        return result

    def after(step: int, memory: Array) -> Array:
        last: Array = core.forward(inputs[:, step:], memory)[0][:, -1]
        return last

    def run(step: int) -> Array:
        _, memory = core.forward(inputs[:, :step])
        return after(step, mixed(memory, np.roll(memory, 1, axis=0)))

    _, memory = core.forward(inputs[:, :step])
    before = np.roll(memory, 1, axis=0)
    right = mixed(memory, before)
    rolled, in_one_row, whole = memory.copy(), memory.copy(), memory.copy()
    rolled[:, slots] = np.roll(memory[:, slots], 1, axis=1)
    in_one_row[:, slots] = np.roll(memory[:, slots], 1)
    whole[slots] = before[slots]
    keeping = Keeping(core)
    got = transplant(keeping, inputs, step, slots)
    compare(
        "The output",
        got,
        after(step, right),
        {
            "Nothing was replaced.": after(step, memory),
            "The slots come from sample b + 1; take those of b - 1, np.roll(memory, 1, axis=0).": after(
                step, mixed(memory, np.roll(memory, -1, axis=0))
            ),
            "The other slots were replaced, and those asked for kept.": after(
                step, mixed(memory, before, others)
            ),
            "All slots were replaced.": after(step, before),
            "It is a step late: after `step` steps the memory is that of inputs[:, :step].": run(step + 1),
            "It is a step early: after `step` steps the memory is that of inputs[:, :step].": run(step - 1),
            "The rest of the steps began with the initial memory; pass the mixed one.": core.forward(
                inputs[:, step:]
            )[0][:, -1],
            "The whole sequence was run again from the mixed memory; go on with the rest.": after(0, right),
            "A loop changed the samples in place, and all have the last one's slots: sample b - 1 had been "
            "changed before sample b took its slots. Take them from a copy, or np.roll(memory, 1, axis=0).": (
                after(step, mixed(memory, np.repeat(memory[-1:], SAMPLES, axis=0)))
            ),
            "The slots were rolled; roll the samples, np.roll(memory, 1, axis=0).": (
                after(step, mixed(memory, np.roll(memory, 1, axis=1))),
                after(step, rolled),
            ),
            "np.roll without an axis moves every number by one place; roll the samples, axis=0.": (
                after(step, mixed(memory, np.roll(memory, 1))),
                after(step, in_one_row),
            ),
            "The first sample kept its slots; it gets those of the last.": after(
                step, mixed(memory, np.concatenate([memory[:1], memory[:-1]]))
            ),
            "The slots were set to 0; they are those of sample b - 1.": after(
                step, mixed(memory, 0 * memory)
            ),
            "Whole samples were replaced; the slots are axis 1, mixed[:, slots].": after(step, whole),
        },
    )
    if not all(np.array_equal(now, before) for now, before in keeping.kept):
        raise WrongAnswer("It writes into what the core returned, which is the core's: use memory.copy().")


PARTS: Final = (
    Part("slot_changes", (changes,)),
    Part("input_share", (weight_on_the_input,)),
    Part("effective_rank", (rank_of_known_memories, rank_of_batches)),
    Part("fit_probe", (probe, probe_by_default, probe_of_an_absent_class)),
    Part("probe_accuracy", (accuracy, accuracy_of_seven_classes)),
    Part("probe_map", (map_of_slots, map_of_five_classes)),
    Part("transplant", (slots_of_another,)),
)
