"""How many examples of Nth farthest a core makes a second: `python benchmarks/nth_farthest_batches.py`."""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from relational_rnn.tasks.nth_farthest import NthFarthest, oracle, sample


def rate(task: NthFarthest, batch_size: int, repeats: int) -> float:
    """Return the median rate in examples a second; the answers are checked first."""
    generator = np.random.default_rng(0)
    batch = sample(task, batch_size, generator)
    if not np.array_equal(oracle(task, batch.inputs), batch.targets):
        raise AssertionError("the oracle disagrees: no rate is reported")
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        sample(task, batch_size, generator)
        seconds.append(time.perf_counter() - start)
    return batch_size / statistics.median(seconds)


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    repeats = parser.parse_args().repeats
    print("objects x dimensions, batch: examples a second (median)")
    for objects, dimensions in ((3, 2), (8, 16), (8, 32), (16, 16)):
        for batch_size in (128, 512, 1600):
            task = NthFarthest(objects=objects, dimensions=dimensions)
            print(f"{objects} x {dimensions}, {batch_size}: {rate(task, batch_size, repeats):,.0f}")


if __name__ == "__main__":
    main()
