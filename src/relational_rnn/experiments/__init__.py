"""What is made of runs: train, compare, ablate and sweep from Python, with tasks and models of one's own too.

The commands of the same names are these functions with a screen around them.
"""

from relational_rnn.experiments.api import Comparison, Variants, ablate, compare, configure, sweep, train

__all__ = ["Comparison", "Variants", "ablate", "compare", "configure", "sweep", "train"]
