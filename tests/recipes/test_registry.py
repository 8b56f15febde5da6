import pytest

from relational_rnn.recipes import RECIPES, find_recipe


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="there is no task 'chess'; known tasks: nth-farthest"):
        find_recipe("chess", "quick")
    with pytest.raises(
        ValueError, match="no preset 'slow' for nth-farthest; known presets: quick, paper8x16"
    ):
        find_recipe("nth-farthest", "slow")


@pytest.mark.parametrize(("task", "preset"), [(t, p) for t, presets in RECIPES.items() for p in presets])
def test_presets_are_whole_and_documented(task, preset):
    settings = find_recipe(task, preset)
    assert settings == find_recipe(task, preset)
    assert RECIPES[task][preset].__doc__
