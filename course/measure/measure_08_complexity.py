"""What sequences of 16 to 256 steps cost: counts and times for page 8. About a minute on one core.

    OMP_NUM_THREADS=1 relational-rnn course measure 8 [YOUR_FILE]

With a file, its counts and its fit are used instead of the solution's.

Forward passes in NumPy, float32, 8 sequences at a time, all of width 64: an LSTM, a core with 4 slots, and a
Transformer block at once, one row at a time anew, and one row at a time with a cache. The clock is the
processor's, so other programs disturb it little; models take turns, and the median of the rounds counts.
"""

import functools
import statistics
import sys
import time

import numpy as np

from relational_rnn.reference import LSTM, RelationalMemory
from relational_rnn.reference.attention import attention_forward, merge_heads, split_heads

LENGTHS, ROUNDS = (16, 32, 64, 128, 256), 5
BATCH, WIDTH, SLOTS, HEADS = 8, 64, 4, 4


def make_weights():
    """Draw the matrices of a Transformer block: queries with keys and values, output, MLP."""
    generator = np.random.default_rng(0)
    shapes = {"qkv": (3, 1), "output": (1, 1), "widen": (4, 1), "narrow": (1, 4)}
    return {
        name: generator.normal(0, 0.1, (outputs * WIDTH, inputs * WIDTH)).astype(np.float32)
        for name, (outputs, inputs) in shapes.items()
    }


def block(rows, weights, keys=None, values=None):
    """Run a block, without layer norm, on rows (B, L, D); earlier keys and values come before their own."""
    flat = rows.reshape(-1, WIDTH)
    qkv = (flat @ weights["qkv"].T).reshape(*rows.shape[:2], 3 * WIDTH)
    q, k, v = (split_heads(part, HEADS) for part in np.split(qkv, 3, axis=2))
    if keys is not None:
        keys[:, :, -1:], values[:, :, -1:] = k, v
        k, v = keys, values
    attended, _ = attention_forward(q, k, v)
    flat = flat + merge_heads(attended).reshape(-1, WIDTH) @ weights["output"].T
    flat = flat + np.maximum(flat @ weights["widen"].T, 0) @ weights["narrow"].T
    return flat.reshape(rows.shape)


def with_cache(inputs, weights):
    """Run a block on one row after another; arrays for all keys and values are there from the start."""
    shape = BATCH, HEADS, inputs.shape[1], WIDTH // HEADS
    keys, values = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for step in range(1, inputs.shape[1] + 1):
        block(inputs[:, step - 1 : step], weights, keys[:, :, :step], values[:, :, :step])


def measure(runs):
    """Return the median of each run's seconds."""
    seconds = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.process_time()
            run()
            seconds[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main(mine):
    """Print both tables; `mine` has the functions of the exercise."""
    lstm = LSTM(WIDTH, WIDTH, dtype=np.float32)
    core = RelationalMemory(WIDTH, SLOTS, head_size=WIDTH // HEADS, num_heads=HEADS, dtype=np.float32)
    weights = make_weights()
    names = ("LSTM", "core", "Transformer at once", "anew at each step", "with cache")
    print(f"| T | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for steps in LENGTHS:
        counts = (
            mine.lstm_cost(steps, WIDTH, WIDTH),
            mine.core_cost(steps, WIDTH, SLOTS, WIDTH),
            mine.transformer_cost(steps, WIDTH),
            mine.recomputed_cost(steps, WIDTH),
            mine.cached_cost(steps, WIDTH),
        )
        print(f"| {steps} | {' | '.join(f'{count / 1e6:.2f}' for count in counts)} |")
    print("\nMillions of multiply-adds, one sequence.")
    core_cost = functools.partial(mine.core_cost, inputs=WIDTH, slots=SLOTS, width=WIDTH)
    steps = mine.first_cheaper(core_cost, functools.partial(mine.cached_cost, width=WIDTH), longest=2000)
    kept = [mine.state_size(model, steps, SLOTS, WIDTH) for model in ("core", "transformer")]
    print(
        f"From T = {steps} on the core counts less than the Transformer with a cache, and keeps {kept[0]} "
        f"numbers where the cache has {kept[1]:,}.\n"
    )

    print(f"| T | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    table = []
    for steps in LENGTHS:
        inputs = np.random.default_rng(steps).standard_normal((BATCH, steps, WIDTH)).astype(np.float32)
        runs = {
            "LSTM": lambda inputs=inputs: lstm.forward(inputs),
            "core": lambda inputs=inputs: core.forward(inputs),
            "Transformer at once": lambda inputs=inputs: block(inputs, weights),
            "anew at each step": lambda inputs=inputs: [
                block(inputs[:, :step], weights) for step in range(1, inputs.shape[1] + 1)
            ],
            "with cache": lambda inputs=inputs: with_cache(inputs, weights),
        }
        table.append(list(measure(runs).values()))
        print(f"| {steps} | {' | '.join(f'{1e3 * seconds:.1f}' for seconds in table[-1])} |", flush=True)
    slopes = [
        mine.growth(np.array(LENGTHS[-3:]), np.array(column[-3:])) for column in zip(*table, strict=True)
    ]
    print(f"| growth | {' | '.join(f'{slope:.2f}' for slope in slopes)} |")
    print(f"\nMilliseconds of the processor for {BATCH} sequences, medians of {ROUNDS} rounds.")
    print(f"Growth: the exponent p of T^p, from T = {LENGTHS[-3]} on.")


if __name__ == "__main__":
    from relational_rnn.cli.main import main as command

    raise SystemExit(command(["course", "measure", "8", *sys.argv[1:], "--script", __file__]))
