"""Damage to files, drawn from a seed: of their bytes, of the values in their JSON, of their arrays."""

import copy
import json

import numpy as np

from relational_rnn.training.arrays_file import load_arrays, save_arrays

STRANGE = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3.5,
        -0.5,
        10**6,
        10**30,
        -(10**30),
        2**63,
        1e300,
        float("nan"),
        float("inf"),
    ),
    *("", "x", "0", "nan", "sorting", "\x00", "\ud800", [], [[]], {}, {"": 0}, [None], "x" * 10_000),
)
"""Values of every type, among them those that no setting and no score has."""

DTYPES = ("f8", "f4", "f2", "i8", "i4", "i1", "u1", "u8", "?")


def mutate_bytes(data, random):
    """Return the bytes of a file damaged in one to three places."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(data) + 1)
        length = random.choice((1, 2, 8, 64, 1024))
        how = random.choice(("flip", "cut", "drop", "double", "insert", "set"))
        if how == "flip" and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif how == "cut":
            del data[at:]
        elif how == "drop":
            del data[at : at + length]
        elif how == "double":
            data[at:at] = data[at : at + length]
        elif how == "insert":
            data[at:at] = random.randbytes(length)
        elif how == "set":
            data[at : at + length] = bytes([random.choice((0, 0x20, 0x30, 0x39, 0x7F, 0xFF))]) * length
    return bytes(data)


def mutate_value(value, random):
    """Return a JSON value changed in one place."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return random.choice(STRANGE)
    inside, key = random.choice(places)
    how = random.choice(("strange", "strange", "delete", "rename", "scale", "deep", "swap", "double"))
    old = inside[key]
    if how == "delete":
        del inside[key]
    elif how == "rename" and isinstance(inside, dict):
        inside[random.choice(("x", "step", key + "_", key[:-1]))] = inside.pop(key)
    elif how == "scale" and type(old) in (int, float):
        inside[key] = old * random.choice((-1, 0, 2, 10**3, 10**12, 10**25, 0.5))
    elif how == "deep":
        inside[key] = old
        for _ in range(random.choice((3, 50, 120, 400))):
            inside[key] = [inside[key]]
    elif how == "swap":
        other, name = random.choice(places)
        inside[key], other[name] = copy.deepcopy(other[name]), copy.deepcopy(old)
    elif how == "double" and isinstance(old, list | str):
        inside[key] = old + old
    else:
        inside[key] = copy.deepcopy(random.choice(STRANGE))
    return value


def _places(value):
    """Yield every container inside a value with each of its keys."""
    if not isinstance(value, dict | list):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from _places(value[key])


def mutate_json(data, random):
    """Return a JSON file with one value changed, as text that JSON allows."""
    if random.random() < 0.05:
        return b"[" * random.choice((50, 500, 200_000))
    return json.dumps(mutate_value(json.loads(data), random)).encode("utf-8", "surrogatepass")


def mutate_lines(data, random):
    """Return JSON lines of which one is changed."""
    lines = data.split(b"\n")
    at = random.randrange(max(1, len(lines) - 1))
    lines[at] = mutate_json(lines[at], random)
    return b"\n".join(lines)


def mutate_array(value, random):
    """Return an array of other shape, dtype or numbers."""
    how = random.choice(("shape", "dtype", "fill", "first", "empty", "transpose"))
    if how == "shape":
        return value.reshape(random.choice(((-1,), (1, *value.shape), (*value.shape, 1))))
    if how == "dtype":
        with np.errstate(all="ignore"):
            return value.astype(random.choice(DTYPES))
    if how == "fill" and value.dtype.kind == "f":
        return np.full_like(value, random.choice((np.nan, np.inf, -np.inf, 1e38, -1.0)))
    if how == "first":
        return value[:1] if value.ndim else value[None]
    if how == "empty":
        return value.reshape(-1)[:0]
    return np.ascontiguousarray(value.T)


def mutate_arrays(path, random):
    """Change a file of arrays that stays a valid one: an array, a name or a note."""
    arrays, notes = load_arrays(path)
    names = sorted(arrays)
    name, other = random.choice(names), random.choice(names)
    how = random.choice(("array", "array", "delete", "rename", "swap", "text", "note", "note", "drop note"))
    if how == "array":
        arrays[name] = mutate_array(arrays[name], random)
    elif how == "delete":
        del arrays[name]
    elif how == "rename":
        arrays[random.choice((name + "x", "x", name.partition(".")[2]))] = arrays.pop(name)
    elif how == "swap":
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif how == "text":
        texts = [one for one in names if arrays[one].dtype == np.uint8]
        for one in texts:
            text = mutate_json(arrays[one].tobytes(), random)
            arrays[one] = np.frombuffer(text, np.uint8)
    elif notes:
        note = random.choice(sorted(notes))
        if how == "drop note":
            del notes[note]
        else:
            notes[note] = mutate_value(notes[note], random)
    save_arrays(path, arrays, notes)
