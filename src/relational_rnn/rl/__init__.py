"""The games as Gymnasium environments; the import registers them.

`relational_rnn/MiniPacMan-v0` and `relational_rnn/BoxWorld-v0` with full view, the same names with `Viewport`
before the version for the small one. Settings of the game are keyword arguments of `gymnasium.make` and
`gymnasium.make_vec`. The rules need no Gymnasium: they are in `relational_rnn.tasks`.
"""

try:
    import gymnasium
except ModuleNotFoundError as missing:
    if missing.name != "gymnasium":
        raise
    raise ModuleNotFoundError(
        "relational_rnn.rl needs gymnasium, which the extra rl brings: pip install 'relational-rnn[rl]'",
        name="gymnasium",
    ) from None

from relational_rnn.rl.environments import GameEnv
from relational_rnn.rl.vector import GameVectorEnv
from relational_rnn.tasks.game_registry import GAMES

for _game in GAMES.values():
    for _suffix, _view in (("", "full"), ("Viewport", "viewport")):
        gymnasium.register(
            f"relational_rnn/{_game.environment}{_suffix}-v0",
            entry_point="relational_rnn.rl.environments:GameEnv",
            vector_entry_point="relational_rnn.rl.vector:GameVectorEnv",
            kwargs={"game": _game.name, "view": _view},
        )

__all__ = ["GameEnv", "GameVectorEnv"]
