"""Answers are right: another parser agrees, on drawn texts of every task and on the authors' samples."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks import programs
from relational_rnn.tasks.programs import CHARACTERS, CURRICULA, as_strings

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "learn_to_execute.json").read_text())
PROGRAMS = {
    "ADDITION": programs.Addition,
    "ALGEBRA": programs.Algebra,
    "CONTROL": programs.Control,
    "ALL": programs.FullProgram,
    "ALG_CTRL": programs.FullProgram,
}
MEMORISATION = {"COPY": programs.Copy, "REVERSE": programs.Reverse, "DOUBLE": programs.Double}


class Parser:
    """Reads a program from left to right by recursive descent.

    program = "x=" operand "for" "[" digit "]" "x+=" operand
            | operand ("+" | "-" | "*") operand
            | operand "if" operand ("<" | ">") operand "else" operand
    operand = number | "(" program ")"
    """

    TOKEN = re.compile(r"\d+|x\+=|x=|if|else|for|.")

    def __init__(self, text: str) -> None:
        self.tokens = self.TOKEN.findall(text)
        self.operations: list[str] = []
        self.literals: list[str] = []

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0)
        assert token in wanted, f"{token} is none of {wanted}"
        return token

    def operand(self) -> int:
        if self.tokens[0] == "(":
            self.take("(")
            value = self.program()
            self.take(")")
            return value
        self.literals.append(self.tokens.pop(0))
        return int(self.literals[-1])

    def program(self) -> int:
        if self.tokens[0] == "x=":
            self.take("x=")
            value = self.operand()
            self.take("for")
            self.take("[")
            rounds = int(self.take(*"123456789"))
            self.take("]")
            self.take("x+=")
            step = self.operand()
            for _ in range(rounds):
                value += step
            self.operations.append("for")
            return value
        first = self.operand()
        operation = self.take("+", "-", "*", "if")
        second = self.operand()
        self.operations.append(operation)
        if operation != "if":
            return {"+": first + second, "-": first - second, "*": first * second}[operation]
        comparison = self.take("<", ">")
        third = self.operand()
        self.take("else")
        fourth = self.operand()
        holds = second < third if comparison == "<" else second > third
        return first if holds else fourth


def read(text: str) -> tuple[int, Parser]:
    parser = Parser(text)
    value = parser.program()
    assert not parser.tokens
    return value, parser


SIGNS = {
    "addition": {"+"},
    "algebra": set("+-*"),
    "control": {"if", "for"},
    "program": {*"+-*", "if", "for"},
}


@given(
    kind=st.sampled_from(sorted(set(PROGRAMS.values()), key=lambda kind: kind.name)),
    nesting=st.integers(1, 5),
    length=st.integers(1, 8),
    curriculum=st.sampled_from(CURRICULA),
    seed=st.integers(0, 10**6),
)
def test_drawn_programs(kind, nesting, length, curriculum, seed):
    task = kind(nesting=nesting, length=length, curriculum=curriculum)
    texts, answers, modulus = task.draw(30, np.random.default_rng(seed))
    for text, answer, own in zip(as_strings(texts), as_strings(answers), modulus.tolist(), strict=True):
        value, parser = read(text)
        digits = {len(literal) for literal in parser.literals}
        assert own == 10 ** (digits.pop() + 1)
        assert not digits
        assert answer == str(value % own) == task.answer(text)
        assert set(parser.operations) <= SIGNS[task.name]
        assert len(parser.operations) <= nesting
        assert not any(literal.startswith("0") for literal in parser.literals)
        assert own <= 10 ** (length + 1)
        if curriculum in ("baseline", "naive"):
            assert (len(parser.operations), own) == (nesting, 10 ** (length + 1))


@given(
    kind=st.sampled_from(list(MEMORISATION.values())),
    length=st.integers(1, 30),
    curriculum=st.sampled_from(CURRICULA),
    seed=st.integers(0, 10**6),
)
def test_drawn_texts_to_memorise(kind, length, curriculum, seed):
    task = kind(length=length, curriculum=curriculum)
    texts, answers, modulus = task.draw(30, np.random.default_rng(seed))
    assert modulus is None
    for text, answer in zip(as_strings(texts), as_strings(answers), strict=True):
        assert re.fullmatch(rf"[1-9]\d{{0,{length - 1}}}", text)
        again = {"copy": list(text), "reverse": list(reversed(text)), "double": [*text, *text]}
        assert answer == "".join(again[task.name]) == task.answer(text)


@pytest.mark.parametrize("own", GOLDEN["sets"], ids=lambda s: f"{s['task_type']}-{s['mode']}-{s['level']}")
def test_samples_of_the_authors(own):
    assert len(own["samples"]) == 20
    kind = (PROGRAMS | MEMORISATION)[own["task_type"]]
    sizes = {"nesting": own["max_nesting"]} if own["task_type"] in PROGRAMS else {}
    task = kind(length=own["max_length"], **sizes)
    assert task.text_steps <= own["num_steps"]
    assert task.answer_steps <= own["num_steps_out"]
    for text, answer in own["samples"]:
        assert set(text + answer) <= set(CHARACTERS[1:])
        assert len(text) <= task.text_steps
        assert len(answer) <= task.answer_steps
        assert task.answer(text) == answer
        if own["task_type"] in PROGRAMS:
            value, parser = read(text)
            assert answer == str(value % 10 ** (len(parser.literals[0]) + 1))


@pytest.mark.parametrize("task_type", PROGRAMS)
def test_programs_look_like_those_of_the_authors(task_type):
    """Every form of theirs, numbers aside, is drawn; lengths of literals too."""
    for own in GOLDEN["sets"]:
        if own["task_type"] == task_type:
            task = PROGRAMS[task_type](nesting=own["max_nesting"], length=own["max_length"], curriculum="mix")
            drawn = {
                re.sub(r"\d", "0", text)
                for text in as_strings(task.draw(30_000, np.random.default_rng(0)).texts)
            }
            assert {re.sub(r"\d", "0", text) for text, _ in own["samples"]} <= drawn
            assert set(CHARACTERS) <= {*GOLDEN["vocabulary"]}
