"""The characters of programs and answers as numbers: encoding, decoding, random literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64, UInt8

CHARACTERS = ".0123456789+-*<>=()[]xiforels"
"""Every character; its place is its id. The authors' 45 include words and signs that never occur."""

PADDING = 0
"""Id of ".", which fills up answers, and of a step at which a model sees nothing."""

ID = {character: number for number, character in enumerate(CHARACTERS)}
"""Character -> id; the id of a digit is the digit plus 1."""

ANSWER_CLASSES = 11
"""Padding and ten digits: the ids that occur in answers."""

_BYTES = b"\0" + CHARACTERS[1:].encode()  # NumPy strips zero bytes at the end


def as_strings(ids: UInt8[np.ndarray, "B T"]) -> list[str]:
    """Return each row as a string, without the padding at its end.

    Example:
        >>> as_strings(np.array([[8, 12, 2, 3], [5, 0, 0, 0]], dtype=np.uint8))
        ['7-12', '4']
    """
    strings: list[str] = (
        np.frombuffer(_BYTES, np.uint8)[ids].view(f"S{ids.shape[1]}")[:, 0].astype(str).tolist()
    )
    return strings


def one_hot(ids: UInt8[np.ndarray, "B T"]) -> Float32[np.ndarray, "B T F"]:
    """Return what a model sees: F = 28 features, all zero for padding."""
    features: Float32[np.ndarray, "B T F"] = np.eye(len(CHARACTERS), dtype=np.float32)[:, 1:][ids]
    return features


def packed(cells: UInt8[np.ndarray, "B W"], width: int) -> UInt8[np.ndarray, "B T"]:
    """Return the rows without padding between characters, filled up at their end to T = `width`.

    Args:
        cells: ids with padding anywhere; at most `width` of a row are characters.
        width: T.

    Example:
        >>> packed(np.array([[0, 8, 0, 12], [5, 0, 0, 0]], dtype=np.uint8), 3)
        array([[ 8, 12,  0],
               [ 5,  0,  0]], dtype=uint8)
    """
    used = cells != PADDING
    rows = np.zeros((len(cells), width), dtype=np.uint8)
    rows[np.arange(width) < used.sum(1)[:, None]] = cells[used]  # both in order of rows, then of columns
    return rows


def literals(
    lengths: Int64[np.ndarray, " B"], count: int, width: int, generator: np.random.Generator
) -> UInt8[np.ndarray, "B K W"]:
    """Draw `count` numbers of `lengths` digits for each example, uniform; the first digit is not 0.

    Returns:
        The ids of their digits in W = `width` columns, shorter numbers with padding before them.
    """
    size = (len(lengths), count, width)
    digits = generator.integers(10, size=size, dtype=np.uint8)
    leading = generator.integers(1, 10, size=size[:2], dtype=np.uint8)
    place = np.arange(width) - (width - lengths)[:, None, None]  # (B, 1, W), 0 at the first digit
    ids: UInt8[np.ndarray, "B K W"] = np.where(place == 0, leading[:, :, None], digits) + ID["0"]
    return np.where(place < 0, np.uint8(PADDING), ids)


def numbers(ids: UInt8[np.ndarray, "*shape W"]) -> Int64[np.ndarray, "*shape"]:
    """Return the numbers that the last axis spells; padding before the first digit is allowed.

    Example:
        >>> numbers(np.array([[0, 2, 3], [9, 1, 1]], dtype=np.uint8))
        array([ 12, 800])
    """
    digits = np.where(ids == PADDING, 0, ids.astype(np.int64) - ID["0"])
    values: Int64[np.ndarray, "*shape"] = digits @ 10 ** np.arange(ids.shape[-1] - 1, -1, -1)
    return values


def decimal(values: Int64[np.ndarray, " B"], width: int) -> UInt8[np.ndarray, "B W"]:
    """Return the digits of numbers from 0 to below 10^`width` as ids, from the first column on.

    Example:
        >>> as_strings(decimal(np.array([0, 105, 7]), 3))
        ['0', '105', '7']
    """
    places = 10 ** np.arange(width - 1, -1, -1)
    digits = values[:, None] // places  # of these the last digit
    ids = (digits % 10 + ID["0"]).astype(np.uint8)
    ids[:, :-1][digits[:, :-1] == 0] = PADDING  # a zero before the first digit
    return packed(ids, width)
