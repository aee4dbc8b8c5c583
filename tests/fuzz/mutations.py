"""Small harm to bytes, as values: Hypothesis draws and shrinks them, a loop draws them by the million."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["flip", "put", "insert", "delete", "repeat", "cut"]
KINDS: tuple[Kind, ...] = ("flip", "put", "insert", "delete", "repeat", "cut")
PIECES = (
    *(b"\x00", b"\xff", b"\x80", b"\x7f", b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x01" + b"\xff" * 7),
    *(b"0", b"-1", b"1e999", b"9" * 20, b"nan", b"\n", b'"', b"{", b"[" * 20, b"\xed\xa0\x80", "٣".encode()),
)
"""What readers stumble over, whatever they read."""


@dataclass(frozen=True)
class Edit:
    """One change."""

    kind: Kind
    place: int
    """Modulo the length."""
    size: int
    """Bytes, or the bit that is turned over."""
    piece: bytes
    """What is put or inserted."""


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes after all changes, one after the other."""
    for edit in edits:
        at = edit.place % (len(data) + 1)
        before, behind = data[:at], data[at:]
        match edit.kind:
            case "flip":
                data = before + bytes([behind[0] ^ 1 << edit.size % 8]) + behind[1:] if behind else data
            case "put":
                data = before + edit.piece + behind[len(edit.piece) :]
            case "insert":
                data = before + edit.piece + behind
            case "delete":
                data = before + behind[edit.size :]
            case "repeat":
                data = before + behind[: edit.size] + behind
            case "cut":
                data = before if edit.size % 8 == 0 else data  # it ends most of what could still be found
    return data


def drawn(rng: random.Random, words: Sequence[bytes]) -> list[Edit]:
    """One to eight changes."""
    return [_edit(rng, words) for _ in range(min(1 + int(rng.expovariate(0.5)), 8))]


def _edit(rng: random.Random, words: Sequence[bytes]) -> Edit:
    pool = rng.choice([PIECES, words or PIECES])
    piece = rng.randbytes(rng.randint(1, 4)) if rng.random() < 0.3 else rng.choice(pool)
    return Edit(rng.choice(KINDS), rng.getrandbits(32), min(1 + int(rng.expovariate(0.1)), 64), piece)
