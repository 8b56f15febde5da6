"""Read trained memories: the tables of page 9. About a minute on one core.

    OMP_NUM_THREADS=1 relational-rnn course measure 9 [YOUR_FILE]

With a file, its functions read instead of the solution's. The cores are those of exercise 4, 4 slots of 32
features and one head, trained on pair matching: two pairs of a key and a value (6 keys, 6 values) are shown,
then a key.
"""

import itertools
import sys

import numpy as np

from relational_rnn.analysis import record_memory
from relational_rnn.reference import Adam, Classifier, RelationalMemory, evaluate
from relational_rnn.tasks import generate_reasoning_data
from relational_rnn.training.learners.numpy import fit
from relational_rnn.training.schedule import warmup_cosine

SLOTS, WIDTH, KEYS, VALUES = 4, 32, 6, 6
STEPS, SEEDS, EXAMPLES, READ = 1000, 3, 20_000, 4000


def train(seed):
    """Train a classifier; return it, its test accuracy, and sequences to read."""
    sizes = {"pairs": 2, "keys": KEYS, "values": VALUES}
    data = generate_reasoning_data("pair-matching", sizes=sizes, train=EXAMPLES, test=READ, seed=seed)
    core = RelationalMemory(data.metadata["input_size"], SLOTS, head_size=WIDTH, dtype=np.float32, seed=seed)
    model = Classifier(core, VALUES, seed=seed)
    fit(
        model,
        data.train,
        data.validation,
        steps=STEPS,
        optimizer=Adam(learning_rate=5e-3),
        schedule=lambda step: warmup_cosine(step, step / STEPS, warmup_steps=50, final_share=0.02),
        evaluate_every=STEPS // 4,
        progress=False,
        seed=seed,
    )
    return model, evaluate(model, data.test)["accuracy"], data.test


def answers(model, outputs):
    """Return the classes that the linear head tells."""
    return (outputs @ model.params["head.0.weight"].T + model.params["head.0.bias"]).argmax(axis=1)


def mixed_answers(mine, model, inputs, slots, own, other, asked):
    """Return how many of the questions `asked` are answered from the own memory, and from the other one."""
    told = answers(model, mine.transplant(model.core, inputs, 2, list(slots)))[asked]
    return (told == own[asked]).mean(), (told == other[asked]).mean()


def spread(values):
    """Write mean, lowest and highest as percentages."""
    return f"{np.mean(values):.1%} ({np.min(values):.1%} to {np.max(values):.1%})"


def main(mine):
    """Print the tables; `mine` has the functions of the exercise."""
    over_time, by_slot, by_count = [], [], {count: [] for count in range(SLOTS + 1)}
    accuracies = []
    for seed in range(SEEDS):
        model, accuracy, test = train(seed)
        accuracies.append(accuracy)
        inputs = test.inputs
        recorded = record_memory(model, inputs)
        _, _, trace = model.core.forward(inputs, return_trace=True)
        memories = recorded.memories.astype(float)
        over_time.append(
            [
                mine.slot_changes(memories, recorded.initial.astype(float)).mean(axis=1),
                mine.effective_rank(memories),
                mine.input_share(trace.attention[:, :, 0]).mean(axis=1),
            ]
        )
        keys, values = inputs[:, :, :KEYS].argmax(axis=2), inputs[:, :, KEYS : KEYS + VALUES].argmax(axis=2)
        fresh = RelationalMemory(inputs.shape[2], SLOTS, head_size=WIDTH, seed=seed)  # a control: not trained
        before = [memories[:, 1:2], record_memory(fresh, inputs).memories[:, 1:2]]  # the question comes next
        maps = [mine.probe_map(one, values[:, pair], VALUES)[0] for pair in (0, 1) for one in before]
        # Sample b gets slots of sample b - 1: questions whose key both have seen, with different values.
        donor_keys, donor_values = np.roll(keys, 1, axis=0), np.roll(values, 1, axis=0)
        query = keys[:, 2]
        fits = donor_keys[:, :2] == query[:, None]
        own, other = test.targets[:, -1], (donor_values[:, :2] * fits).sum(axis=1)
        asked = fits.any(axis=1) & (own != other)
        for count, shares in by_count.items():
            chosen = itertools.combinations(range(SLOTS), count)
            shares.append(
                np.mean([mixed_answers(mine, model, inputs, s, own, other, asked) for s in chosen], axis=0)
            )
        for slot in range(SLOTS):
            still, follows = mixed_answers(mine, model, inputs, [slot], own, other, asked)
            read = [f"{one[slot]:.1%}" for one in maps]
            by_slot.append(f"| {seed} | {slot} | {' | '.join(read)} | {still:.1%} | {follows:.1%} |")

    print(f"Test accuracy {spread(accuracies)}.\n")
    print("| after | change of a slot | effective rank | weight on the input |\n|---|---|---|---|")
    for t, name in enumerate(("first pair", "second pair", "question")):
        change, rank, share = (np.array([one[kind][t] for one in over_time]) for kind in range(3))
        numbers = [f"{x.mean():.2f} ({x.min():.2f} to {x.max():.2f})" for x in (change, rank)]
        print(f"| {name} | {' | '.join(numbers)} | {spread(share)} |")
    print(f"\nMeans of {SEEDS} seeds (lowest to highest).\n")
    print("| seed | slot | first value read | untrained | second value read | untrained | own | other's |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(by_slot))
    print("\nOne seed and slot a row. Read: by a linear probe before the question, chance 16.7%; untrained:")
    print("from a core with its initial weights. Own, other's: answers after this slot alone was replaced.\n")
    print("| slots replaced | own answer | other's answer |\n|---|---|---|")
    for count, shares in by_count.items():
        print(f"| {count} | {' | '.join(spread(x) for x in np.transpose(shares))} |")
    print(f"\nMeans over all choices of so many slots and {SEEDS} seeds (lowest to highest seed).")


if __name__ == "__main__":
    from relational_rnn.cli.main import main as command

    raise SystemExit(command(["course", "measure", "9", *sys.argv[1:], "--script", __file__]))
