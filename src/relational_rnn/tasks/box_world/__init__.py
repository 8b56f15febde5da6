"""Box-World (Zambaldi et al. 2018) with full view or a viewport, as many games at once as one likes."""

from relational_rnn.tasks.box_world.batch import ACTIONS, BoxWorldBatch
from relational_rnn.tasks.box_world.settings import BoxWorld

__all__ = ["ACTIONS", "BoxWorld", "BoxWorldBatch"]
