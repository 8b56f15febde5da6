"""The words of the synthetic bAbI-style stories, and what a story in them means."""

from __future__ import annotations

from collections.abc import Sequence

PADDING = 0
"""Id of the word that fills up short sequences."""
PEOPLE = ("mary", "john", "sandra", "daniel", "julie", "fred", "emma", "bill")
PLACES = ("kitchen", "garden", "office", "bedroom", "bathroom", "hallway", "cellar", "attic")
OBJECTS = ("football", "milk", "apple", "book", "lamp", "key")
VOCABULARY = (
    "<pad>",
    *PEOPLE,
    *PLACES,
    *OBJECTS,
    *("went", "to", "took", "dropped", "where", "is", "was", "before", ".", "?"),
)
"""Every word; its place is its id."""
IDS = {word: number for number, word in enumerate(VOCABULARY)}


def read_story(words: Sequence[str]) -> str:
    """Answer the question at the end of a story: a small interpreter, one sentence at a time.

    A person who carries an object takes it along. `where was OBJECT before PLACE ?` asks for the place from
    which the object was carried to PLACE, the last time that happened.

    Args:
        words: of the whole story and its question, without padding.

    Returns:
        A place.

    Raises:
        ValueError: a sentence or question is none of the four kinds each, or tells what cannot be.

    Example:
        >>> read_story("mary went to garden . mary took milk . mary went to attic . where is milk ?".split())
        'attic'
        >>> read_story("mary went to garden . where is john ?".split())
        Traceback (most recent call last):
        ValueError: 'where is john ?' has no answer in the story
    """
    place_of: dict[str, str] = {}  # of people and of objects
    carrier: dict[str, str] = {}
    came_from: dict[tuple[str, str], str] = {}  # (object, place) -> the place before
    sentence: list[str] = []
    for position, word in enumerate(words, start=1):
        sentence.append(word)
        if word not in (".", "?"):
            continue
        match sentence:
            case [person, "went", "to", place, "."] if person in PEOPLE and place in PLACES:
                for thing in [thing for thing, holder in carrier.items() if holder == person]:
                    if place != place_of[thing]:
                        came_from[thing, place] = place_of[thing]
                    place_of[thing] = place
                place_of[person] = place
            case [person, "took", thing, "."] if (
                person in place_of
                and thing in OBJECTS
                and thing not in carrier
                and place_of.get(thing, place_of[person]) == place_of[person]
            ):
                carrier[thing] = person
                place_of[thing] = place_of[person]
            case [person, "dropped", thing, "."] if carrier.get(thing) == person:
                del carrier[thing]
            case ["where", *_] if position < len(words):
                raise ValueError(f"words follow the question {' '.join(sentence)!r}")
            case ["where", "is", who, "?"] if who in place_of:
                return place_of[who]
            case ["where", "was", thing, "before", place, "?"] if (thing, place) in came_from:
                return came_from[thing, place]
            case ["where", *_]:
                raise ValueError(f"{' '.join(sentence)!r} has no answer in the story")
            case _:
                raise ValueError(f"{' '.join(sentence)!r} is no sentence that can stand here")
        sentence = []
    raise ValueError("the story has no question at its end")
