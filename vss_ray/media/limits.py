"""How much a file may ask for. Whatever asks for more is refused before the memory for it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Far beyond what cameras record; a header can claim anything, and a stream need not end."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    pixels: int = 2**27
    """Of one frame: 16384x8192."""
    frames: int = 5_000_000
    """Of one video: 55 hours at 25 a second. Planning takes about 300 bytes for each."""
    seconds: float = 7 * 86_400.0
    """From the first frame of a video to its last."""

    def __post_init__(self) -> None:
        if not min(self.pixels, self.frames, self.seconds) > 0:
            raise ValueError("pixels, frames and seconds: more than 0 each")
