"""What a figure was measured on: processor, cores, memory, versions, and when."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

FLAGS = {"avx512_bf16": "AVX512-BF16", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI", "amx_bf16": "AMX-BF16"}
"""Of /proc/cpuinfo: what makes networks fast."""
PACKAGES = ("vss-ray", "ray", "torch", "openvino", "av", "numpy", "opencv-python", "numba")


def describe() -> dict[str, Any]:
    """Plain values for JSON."""
    info = _cpuinfo()
    flags = set(info.get("flags", "").split())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": info.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [name for flag, name in FLAGS.items() if flag in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def line(machine: dict[str, Any]) -> str:
    """The machine in one line."""
    has = f" ({', '.join(machine['instructions'])})" if machine["instructions"] else ""
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    return f"{machine['cores']} cores of {machine['processor']}{has}, {machine['memory_gb']:.0f} GB{gpu}"


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
