import json

import pytest

from relational_rnn.training.common.files import read_json, read_lines, write_atomically, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "deep" / "value.json"
    write_json(path, {"old": 1})

    def fails(temporary):
        temporary.write_text("half of")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_atomically(path, fails)
    assert read_json(path) == {"old": 1}
    assert [file.name for file in path.parent.iterdir()] == ["value.json"]


def test_broken_json_names_the_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"x\.json is no JSON file"):
        read_json(path)


def test_a_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert list(read_lines(path)) == []
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2')
    assert list(read_lines(path)) == [{"step": 1}]
