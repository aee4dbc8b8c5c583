"""Errors after which a process can do nothing more on its GPU: whatever it asks next gets the same error.

"To continue using CUDA, the process must be terminated and relaunched", says CUDA of each of them (Runtime API,
``cudaError_t``). They are told by their text: it comes through every library alike, and nothing else does.
"""

from __future__ import annotations

from vss_ray.cluster.causes import causes

TEXTS = (
    "device-side assert triggered",
    "illegal memory access",
    "illegal instruction was encountered",
    "misaligned address",
    "unspecified launch failure",
    "launch timed out and was terminated",
    "hardware stack error",
    "invalid program counter",
    "operation not supported on global/shared address space",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "Invalid access of peer GPU memory over nvlink",
)
"""What ``cudaGetErrorString`` says of them."""


def lost_gpu(error: BaseException) -> str | None:
    """The line that says that this process has lost its GPU; None where the error, and what caused it, says no such."""
    for each in causes(error):
        # torch.AcceleratorError is one, as is what torch of before and other libraries raise.
        if isinstance(each, RuntimeError):
            for line in str(each).splitlines():
                if any(text in line for text in TEXTS):
                    return line.strip()
    return None
