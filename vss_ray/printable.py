"""Names and messages as they may be shown: nothing in them moves a cursor, sets a title or turns text around."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text in which control characters, marks of direction, line ends and half characters are replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str) -> str:
    """A message of somebody else's as part of a sentence: spaces stand for what cannot be printed, lines are joined."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
