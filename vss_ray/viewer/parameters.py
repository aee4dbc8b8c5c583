"""What a request says, checked, and what an error is to a browser."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from vss_ray.errors import QueryError, StorageError
from vss_ray.storage.location import MissingError


def status_of(error: Exception) -> int:
    """The code that says whose fault it is."""
    match error:
        case HTTPException(status_code=status):
            return status
        case QueryError():
            return 400
        case MissingError():
            return 404
        case StorageError():
            return 502
        case _:
            return 422


def seconds_of(parameters: Mapping[str, str]) -> float:
    """``t``: a moment of a video; 0 where nothing is said."""
    try:
        seconds = float(parameters.get("t", "0"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e7:
        raise HTTPException(400, "t: wanted seconds from the beginning of the video")
    return seconds


def number_of(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number, brought between ``least`` and ``most``."""
    text = parameters.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise HTTPException(400, f"{name}: wanted a whole number")
    return min(max(int(text), least), most)
