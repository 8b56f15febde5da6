"""Mini PacMan (Weber et al. 2017) with full view or a viewport, as many games at once as one likes."""

from relational_rnn.tasks.mini_pacman.batch import ACTIONS, MiniPacmanBatch
from relational_rnn.tasks.mini_pacman.settings import MODES, MiniPacman, Mode

__all__ = ["ACTIONS", "MODES", "MiniPacman", "MiniPacmanBatch", "Mode"]
