"""What `import relational_rnn` has, and what it says of what stands elsewhere."""

import pytest

import relational_rnn

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize(
    ("name", "rooms"),
    [
        ("RelationalRNN", ["nn", "reference"]),
        ("RelationalMemoryCell", ["nn", "reference"]),
        ("DNC", ["nn"]),
        ("Classifier", ["reference"]),
        ("generate_reasoning_data", ["tasks"]),
        ("compare", ["experiments"]),
    ],
)
def test_a_public_name_says_where_it_is(name, rooms):
    with pytest.raises(ImportError, match=f"cannot import name '{name}' from 'relational_rnn'; ") as caught:
        exec(f"from relational_rnn import {name}")
    ways = [f"from relational_rnn.{room} import {name}" for room in rooms]
    assert " or ".join(ways) in str(caught.value)
    assert str(caught.value).count("from relational_rnn.") == len(rooms)


def test_other_names_are_missing_as_usual():
    assert not hasattr(relational_rnn, "Relational")
    assert not hasattr(relational_rnn, "__wrapped__")
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from relational_rnn import Nothing")
