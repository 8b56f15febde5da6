"""Every exercise of the registry: the solution passes, the starter and typical mistakes are told."""

import ast
import doctest
import functools
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from relational_rnn.course import EXERCISES, check
from relational_rnn.course.checking import load
from relational_rnn.reference.gates import gates_forward

HERE = Path(__file__).parent
WRONG = {
    number: load(HERE / f"wrong_answers_{exercise.key}.py").WRONG for number, exercise in EXERCISES.items()
}
every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda exercise: exercise.key)


def parts(exercise):
    return importlib.import_module(exercise.checks).PARTS


def with_mistake(exercise, function, old, new, folder):
    """Write the solution with a mistake in one of its functions into a file."""
    source = exercise.solution.read_text()
    lines = ast.get_source_segment(source, next(_functions(source, function)))
    assert old in lines, f"the solution's {function} has no {old!r}"
    path = folder / exercise.file_name
    path.write_text(source.replace(lines, lines.replace(old, new)))
    return path


def _functions(source, name):
    return (node for node in ast.parse(source).body if getattr(node, "name", "") == name)


@every_exercise
def test_the_solution_passes_every_check(exercise):
    results = check(exercise, exercise.solution)
    assert [result for result in results if not result.passed] == []
    assert len(results) == sum(len(part.checks) for part in parts(exercise))


@every_exercise
def test_the_starter_fails_and_says_what_to_write(exercise):
    results = check(exercise, exercise.starter)
    assert [result.function for result in results] == [part.function for part in parts(exercise)]
    for result in results:
        assert not result.passed
        assert result.message.startswith("Not written yet. ")
        assert len(result.message) > len("Not written yet. ") + 20


@every_exercise
def test_starter_and_solution_have_the_same_functions(exercise):
    starter, solution = load(exercise.starter), load(exercise.solution)
    for part in parts(exercise):
        theirs, ours = getattr(starter, part.function), getattr(solution, part.function)
        assert inspect.signature(theirs) == inspect.signature(ours)
        assert theirs.__doc__ == ours.__doc__
        assert "Args:" in theirs.__doc__
        assert "Returns:" in theirs.__doc__


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """The results of a wrong answer, which two tests look at."""

    @functools.cache
    def results(number, function, old, new):
        folder = tmp_path_factory.mktemp("wrong")
        return check(EXERCISES[number], with_mistake(EXERCISES[number], function, old, new, folder))

    return results


@pytest.mark.parametrize(
    ("number", "function", "old", "new", "message"),
    [(number, *wrong) for number, wrongs in WRONG.items() for wrong in wrongs],
)
def test_a_wrong_answer_is_told(number, function, old, new, message, outcome):
    (failed,) = [result for result in outcome(number, function, old, new) if not result.passed]
    assert failed.function == function
    assert message in failed.message


def test_a_transplant_may_use_all_of_the_core(tmp_path):
    old = "outputs, _ = core.forward(inputs[:, step:], mixed)"
    new = "outputs, *_ = core.forward(inputs[:, step:], memory=mixed, return_trace=True)\n    core.config"
    path = with_mistake(EXERCISES[9], "transplant", old, new, tmp_path)
    assert [result.message for result in check(EXERCISES[9], path) if not result.passed] == []


@every_exercise
def test_every_message_of_the_checks_has_been_given(exercise, outcome):
    """Each text that a checks module can say comes out for some wrong answer."""
    wrong = [outcome(exercise.number, *change) for *change, _ in WRONG[exercise.number]]
    told = "\n".join(result.message for results in wrong for result in results)
    tree = ast.parse(Path(importlib.import_module(exercise.checks).__file__).read_text())
    texts = [text for node in ast.walk(tree) for text in messages(node)]
    assert len(texts) > 3
    assert [text for text in texts if text not in told] == []


def messages(node):
    """The literal texts of `WrongAnswer(...)`, and of the keys of dicts, which `compare` says."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "WrongAnswer":
        found = node.args
    elif isinstance(node, ast.Dict):
        found = [key for key in node.keys if key is not None]
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        found = [node.targets[0].slice]
    else:
        return []
    pieces = [piece for text in found for piece in ast.walk(text) if isinstance(piece, ast.Constant)]
    return [piece.value for piece in pieces if isinstance(piece.value, str) and len(piece.value) > 12]


@every_exercise
def test_the_page_links_to_what_the_learner_edits(exercise):
    page = exercise.page.read_text()
    assert page.startswith(f"# {exercise.number}. {exercise.title}\n")
    assert f"relational-rnn course start {exercise.number}" in page
    for part in parts(exercise):
        assert f"`{part.function}" in page


@every_exercise
def test_the_page_names_the_command_that_measures(exercise):
    page = exercise.page.read_text()
    assert ("## Measured" in page or "processor's seconds" in page) == exercise.measured
    named = f"relational-rnn course measure {exercise.number}"
    assert (f"{named}`" in page) == (f"{named} {exercise.file_name}`" in page) == exercise.measured
    assert "course/measure" not in page  # a path that is right in one folder alone
    trains = "fit(" in (source := exercise.measurement.read_text() if exercise.measured else "")
    assert ("Another processor rounds differently" in " ".join(page.split())) == (
        trains or "mine.train(" in source
    )


@every_exercise
def test_the_starter_says_where_the_lesson_is(exercise):
    for words in (exercise.starter.read_text(), exercise.solution.read_text()):
        assert "course/pages" not in words
    assert f"`relational-rnn course check {exercise.number}`; both say where the lesson is.\n" in (
        load(exercise.starter).__doc__
    )


@every_exercise
def test_every_question_of_the_page_has_an_answer(exercise):
    _, questions = exercise.page.read_text().split("\n## Think about it\n")
    _, *asked = re.split(r"^\d\. ", questions, flags=re.MULTILINE)
    assert len(asked) == 3
    for one in asked:
        question, answer = one.split("<details><summary>Answer</summary>\n\n")
        assert "?" in question
        assert len(answer.split()) > 15
        assert answer.rstrip().endswith("</details>")


@every_exercise
def test_the_examples_on_the_page_give_what_it_says(exercise):
    text = exercise.page.read_text().replace("```", "")  # else a fence would be part of what is expected
    examples = doctest.DocTestParser().get_doctest(text, {}, exercise.page.name, str(exercise.page), 0)
    assert len(examples.examples) > 2
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.torch
def test_the_larger_core_of_page_9_is_read_as_printed():
    pytest.importorskip("torch")
    page = EXERCISES[9].page.read_text()
    scope, probe_map = {}, load(EXERCISES[9].solution).probe_map
    for block in re.findall(r"```python\n(.*?)```", page.partition("## With a larger core")[2], re.DOTALL):
        exec(block, scope)
    maps = [probe_map(scope["memories"], scope["signs"](label), 2)[-1] for label in range(8)]
    assert sorted(row.argmax() for row in maps) == [*range(8)]  # a slot for each label
    (printed,) = re.findall(r"```text\n(0 \[.*?)```", page, re.DOTALL)
    shown = [[float(number) for number in re.findall(r"0\.\d+", row)] for row in printed.splitlines()]
    assert abs(np.array(shown) - maps).max() < 0.03  # another processor rounds differently


def test_page_4_shows_what_the_gates_take():
    arguments = ", ".join(inspect.signature(gates_forward).parameters)
    assert f"`gates_forward({arguments})`" in EXERCISES[4].page.read_text()
