"""What the initial memory does to slots and to learning: a table for page 2. About two minutes on one core.

    relational-rnn course measure 2 [YOUR_FILE]      # with your functions instead of the solution's

A core with 4 slots of 32 features and one head learns pair matching (2 pairs, 6 keys, 6 values): pairs of
a key and a value are shown, then a key; which value has it?
"""

import sys

import numpy as np

from relational_rnn.reference import Adam, Classifier, RelationalMemory, evaluate
from relational_rnn.tasks import generate_reasoning_data
from relational_rnn.training.learners.numpy import fit
from relational_rnn.training.schedule import warmup_cosine

SLOTS, WIDTH = 4, 32
STEPS, SEEDS, EXAMPLES = 800, 3, 20_000


def train(initial, trainable, data, seed):
    """Train a core whose memory begins with `initial`; return the model and its test accuracy."""
    core = RelationalMemory(
        data.metadata["input_size"],
        SLOTS,
        head_size=WIDTH,
        initial_memory="trainable" if trainable else "random",
        dtype=np.float32,
        seed=seed,
    )
    (core.params if trainable else core.buffers)["initial_memory"][...] = initial
    model = Classifier(core, data.metadata["classes"], seed=seed)
    fit(
        model,
        data.train,
        data.validation,
        steps=STEPS,
        optimizer=Adam(learning_rate=5e-3),
        schedule=lambda step: warmup_cosine(step, step / STEPS, warmup_steps=50, final_share=0.02),
        evaluate_every=STEPS // 2,
        progress=False,
        seed=seed,
    )
    return model, evaluate(model, data.test)["accuracy"]


def main(mine):
    """Print the table; `mine` has the functions of the exercise."""
    sizes = {"pairs": 2, "keys": 6, "values": 6}
    data = [
        generate_reasoning_data("pair-matching", sizes=sizes, train=EXAMPLES, seed=seed)
        for seed in range(SEEDS)
    ]
    starts = {
        "zeros": (lambda generator: mine.zeros_memory(SLOTS, WIDTH), False),
        "identity": (lambda generator: mine.identity_memory(SLOTS, WIDTH), False),
        "normal": (lambda generator: mine.normal_memory(SLOTS, WIDTH, generator), False),
        "trainable, from the identity": (lambda generator: mine.identity_memory(SLOTS, WIDTH), True),
        "trainable, from zeros": (lambda generator: mine.zeros_memory(SLOTS, WIDTH), True),
    }
    print(
        "| initial memory | spread at first (0 to 1) | spread at the end, untrained "
        "| spread at the end, trained | test accuracy, mean (lowest to highest seed) |"
    )
    print("|---|---|---|---|---|")
    for name, (make, trainable) in starts.items():
        rows = []
        for seed in range(SEEDS):
            initial = make(np.random.default_rng(seed))
            model, accuracy = train(initial, trainable, data[seed], seed)
            inputs = data[seed].test.inputs[:256]
            fresh = RelationalMemory(inputs.shape[2], SLOTS, head_size=WIDTH, dtype=np.float32, seed=seed)
            memory = mine.start(initial, len(inputs))
            spreads = [memory, fresh.forward(inputs, memory)[1], model.core.forward(inputs)[1]]
            rows.append([*(float(mine.slot_spread(one).mean()) for one in spreads), accuracy])
        mean, low, high = np.mean(rows, axis=0), np.min(rows, axis=0), np.max(rows, axis=0)
        score = f"{mean[3]:.1%} ({low[3]:.1%} to {high[3]:.1%})"
        print(f"| {name} | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} | {score} |", flush=True)
    print(f"\nMeans of {SEEDS} seeds, {STEPS} steps each.")
    print(f"A model that predicts any value it was shown: {data[0].metadata['shortcut']:.1%}.")


if __name__ == "__main__":
    from relational_rnn.cli.main import main as command

    raise SystemExit(command(["course", "measure", "2", *sys.argv[1:], "--script", __file__]))
