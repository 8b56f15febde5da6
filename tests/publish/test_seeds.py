"""A number in a sentence is of at least three seeds; a table of one seed says so in its head."""

import re

import pytest

from tools.publish import compared, nth_farthest, supervised
from tools.publish.manifest import MANIFEST, Group
from tools.publish.pages import PAGES, generated_parts
from tools.publish.records import read_group
from tools.publish.text import FEWEST_SEEDS, check_seeds, head, in_sentence

THREE = {0: 0.93, 1: 0.92, 2: 0.94}


def test_a_sentence_has_the_mean_and_the_range():
    assert in_sentence("short", "It has {}.", THREE) == "It has 93.0 (92.0\u201394.0) %."


@pytest.mark.parametrize(("seeds", "told"), [((), "none"), ((4,), "4"), ((1, 0, 1), "0, 1")])
def test_a_sentence_of_fewer_seeds_is_refused(seeds, told):
    with pytest.raises(ValueError, match=rf"at least 3 seeds; short has {told} for 'It has \{{\}}.'"):
        in_sentence("short", "It has {}.", dict.fromkeys(seeds, 0.5))
    with pytest.raises(ValueError, match=rf"short has {told} for '5 s'"):
        check_seeds("short", "5 s", seeds)


def test_a_head_tells_that_there_is_one_seed():
    assert head("model", 1) == "model, one seed"
    assert head("model", FEWEST_SEEDS) == "model"
    with pytest.raises(ValueError, match=r"at least 3 seeds, got 2"):
        head("model", 2)


def prose(page):
    """The sentences of a page that no table and no record wrote."""
    text = re.sub(r"<!-- ([^/].*?) -->.*?<!-- /\1 -->|```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.split(r"(?<=[.:])\s+|\n\n", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_sentence_on_one_seed_has_no_score(page):
    for sentence in prose(page):
        if "one seed" in sentence or "same seed" in sentence:
            assert not re.search(r"\d\.\d %|\d s\b|step \d", sentence), sentence


def records(group, *names):
    return read_group(Group(MANIFEST[group].kind, names, ()))


def test_sentences_of_records():
    two = records("short", "short-paper8x16-0", "short-paper8x16-1")
    with pytest.raises(ValueError, match=r"short-paper8x16-0, short-paper8x16-1 has 0, 1 for"):
        nth_farthest.score(two)
    with pytest.raises(ValueError, match=r"two records of one seed give no mean: quick-0, .*"):
        nth_farthest.score(read_group(MANIFEST["quick"]))
    with pytest.raises(ValueError, match=r"compare-paper8x16-1-dnc has 0, 1 for 'RMC \{\}'"):
        compared.best_sentence(
            records("compare-paper8x16", "compare-paper8x16-0-dnc", "compare-paper8x16-1-dnc")
        )
    with pytest.raises(ValueError, match=r"repeated-babi has 0 for '847 s for all trainings"):
        compared.comparison_command(records("babi", "repeated-babi"))


def test_a_summary_of_one_seed_has_its_numbers_in_the_table_alone():
    sentence, _, table = supervised.summary(records("babi", "repeated-babi")).split("\n\n")
    assert not re.search(r"\d s\b", sentence)
    assert table.startswith("| model, one seed |")
    sentence, _, table = supervised.summary(read_group(MANIFEST["sorting"])).split("\n\n")
    assert "means of 3 seeds (lowest to highest), 102 s for all 9 trainings" in sentence
    assert table.startswith("| model |")


def test_a_run_that_was_interrupted_has_no_time_of_all_trainings():
    sentence, *_ = supervised.summary(read_group(MANIFEST["copy"])).split("\n\n")
    assert sentence.endswith("means of 3 seeds (lowest to highest):")
    assert compared.comparison_command(records("copy", "copy")).startswith("12,800 test examples:")


def test_sentences_on_pages_are_of_several_seeds():
    parts = generated_parts()
    inline = set()
    for page in PAGES:
        for before, place in re.findall(r"(.*)<!-- ([^/].*?) -->(?!\n)", page.read_text()):
            assert before.strip(), f"{page.name}: Markdown takes a line that begins with {place} for HTML"
            inline.add(place)
    assert inline == {"short score", "paper8x16 score"}
    assert all(re.fullmatch(r"[\d.]+ \([\d.]+\u2013[\d.]+\) %", parts[place]) for place in inline)
