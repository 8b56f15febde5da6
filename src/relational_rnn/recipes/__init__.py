"""Named presets: functions that return typed configurations. A number that a paper chose says where."""

from relational_rnn.recipes.registry import RECIPES, find_recipe

__all__ = ["RECIPES", "find_recipe"]
