"""The same, guided by coverage: atheris keeps what reaches new lines of Python, and goes on from there."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vss_ray"]):
    from tests.fuzz.loop import Journal
    from tests.fuzz.targets import TARGETS

from tests.fuzz.contract import HANGS, MEGABYTES

COUNTED = 1.0
"""Seconds between two notes of how many inputs there were: libFuzzer ends the process as it likes."""


def main(name: str, seconds: float, seed: int, folder: Path) -> None:
    """Read for some time."""
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(data)
    words = folder / "words"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    journal, noted = Journal(folder, target), time.monotonic()

    def read(data: bytes) -> None:
        nonlocal noted
        journal.read(data)
        if time.monotonic() > noted + COUNTED:
            noted = time.monotonic()
            (folder / "count").write_text(str(journal.count))

    limits = [f"-max_total_time={int(seconds)}", f"-timeout={int(HANGS)}", f"-rss_limit_mb={4 * MEGABYTES}"]
    places = [f"-artifact_prefix={folder}/", f"-dict={words}", f"-seed={seed + 1}", "-max_len=20000", str(corpus)]
    atheris.Setup([sys.argv[0], *limits, *places], read)
    with contextlib.suppress(SystemExit):
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
