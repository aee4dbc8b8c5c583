"""Every package of an installation on CPUs with its SHA-256, as pip resolves them here: ``make lock``.

One wheel each, for the Python and the platform that this runs on. What builds this package is among them, so that an
installation takes nothing that is not named. See README, Security, for how to install from it.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "cpu,int8,hf,search"


def main() -> None:
    """Print the lock."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    wanted = ["--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[{EXTRAS}]", *build]
    with tempfile.NamedTemporaryFile() as report:
        options = ["--dry-run", "--ignore-installed", "--quiet", "--only-binary", ":all:", "--report", report.name]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted], check=True, stdout=sys.stderr)
        found = json.loads(Path(report.name).read_text())["install"]
    lines = [_line(each) for each in found if "dir_info" not in each["download_info"]]
    print(f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}; made by infra/lock.py.")
    print(*sorted(lines), sep="\n")


def _line(package: dict) -> str:
    name = re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()
    digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name}=={package['metadata']['version']} --hash=sha256:{digest}"


if __name__ == "__main__":
    main()
