"""The interpreter of the synthetic stories, on stories written by hand."""

import pytest

from relational_rnn.tasks import babi_words
from relational_rnn.tasks.babi_words import VOCABULARY, read_story


def test_words_are_distinct():
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert VOCABULARY[babi_words.PADDING] == "<pad>"


STORY = """mary went to kitchen . mary took milk . john went to kitchen . mary went to garden .
mary dropped milk . mary went to attic . john went to garden . john took milk .
john went to kitchen . john went to cellar ."""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("where is mary ?", "attic"),
        ("where is john ?", "cellar"),
        ("where is milk ?", "cellar"),
        ("where was milk before garden ?", "kitchen"),
        ("where was milk before kitchen ?", "garden"),
        ("where was milk before cellar ?", "kitchen"),
    ],
)
def test_answers(question, answer):
    assert read_story(f"{STORY} {question}".split()) == answer


@pytest.mark.parametrize(
    ("story", "message"),
    [
        ("where is mary ?", "'where is mary \\?' has no answer in the story"),
        ("mary went to attic . where is milk ?", "has no answer"),
        ("mary went to attic . mary took milk . where was milk before attic ?", "has no answer"),
        ("mary went to attic .", "has no question at its end"),
        ("mary went to attic . where is mary ? where is mary ?", "words follow the question 'where is mary"),
        ("mary went attic . where is mary ?", "'mary went attic .' is no sentence that can stand here"),
        ("milk went to attic . where is milk ?", "'milk went to attic .' is no sentence"),
        ("mary took milk . where is milk ?", "'mary took milk .' is no sentence that can stand here"),
        (
            "bill went to attic . bill took milk . bill dropped milk . emma went to cellar . "
            "emma took milk .",
            "'emma took milk .' is no sentence",
        ),
        ("mary went to attic . mary dropped milk .", "'mary dropped milk .' is no sentence"),
        ("mary went to attic . mary took milk . mary took milk .", "'mary took milk .' is no sentence"),
    ],
)
def test_what_is_no_story(story, message):
    with pytest.raises(ValueError, match=message):
        read_story(story.split())
