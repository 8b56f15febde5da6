"""What is made of runs: train, compare, ablate and sweep from Python, with tasks and models of one's own too.

The commands of the same names take the same configuration to the same `training.run`, with a screen besides.
"""

from relational_rnn.experiments.api import Comparison, Variants, ablate, compare, configure, sweep, train

__all__ = ["Comparison", "Variants", "ablate", "compare", "configure", "sweep", "train"]
