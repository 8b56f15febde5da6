"""Named presets: functions that return typed settings. A number that a paper chose says where."""

from relational_rnn.recipes.registry import RECIPES, Settings, find_recipe

__all__ = ["RECIPES", "Settings", "find_recipe"]
