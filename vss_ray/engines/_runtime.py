"""The package ``openvino``, and what it raises."""

from __future__ import annotations

import sys
from typing import Any


def runtime() -> Any:
    """The package ``openvino``, kept from calling home: import it through here alone.

    It reports its import and every conversion to a statistics service wherever the package ``openvino_telemetry`` can
    be imported. Where it cannot, OpenVINO puts an empty stand-in in its place.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def failures() -> tuple[type[Exception], ...]:
    """What OpenVINO, or PyTorch on its behalf, raises over a network that it cannot take."""
    frontend = runtime().frontend
    return (
        RuntimeError,
        ValueError,
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    )
