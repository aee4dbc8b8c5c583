"""Templates, and how times, shares and sizes are written on a page. Whatever is put into a template is escaped."""

from __future__ import annotations

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray


def environment() -> Environment:
    """The templates of this package; every value is escaped, and one that is missing is an error."""
    pages = Environment(
        loader=PackageLoader("vss_ray.viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"length": length, "clock": clock, "percent": percent, "size": size, "bytes64": bytes64}
    return pages


def length(seconds: float) -> str:
    """How long: ``0.04 s``, ``9.4 s``, ``2:05``, ``1:02:05``."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 59.95 else _minutes(round(seconds))


def clock(seconds: float) -> str:
    """When: ``0:09.40``."""
    hundredths = round(seconds * 100)
    return f"{_minutes(hundredths // 100)}.{hundredths % 100:02d}"


def percent(share: float) -> str:
    """``12 %``, ``1.3 %``, ``0.02 %``, ``< 0.01 %``."""
    value = share * 100
    if 0 < value < 0.01:
        return "< 0.01 %"
    return f"{value:.{0 if value >= 10 or value == 0 else 1 if value >= 1 else 2}f} %"


def size(num_bytes: int) -> str:
    """``8.0 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000  # type: ignore[assignment]
    return f"{num_bytes:.3g} TB"


def bytes64(values: NDArray[Any]) -> str:
    """The bytes of an array as text."""
    return base64.b64encode(values.tobytes()).decode()


def _minutes(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
