"""The Speed section of README.md, made anew from a stored document: command, machine, goals, tables."""

from __future__ import annotations

import os
from pathlib import Path

from vss_ray.cluster.benchmark import machine, parts, tables
from vss_ray.cluster.benchmark.document import Document, Entry
from vss_ray.errors import ConfigError

BEGIN, END = "<!-- speed: made by vss benchmark --stored --readme -->", "<!-- /speed -->"
IN_FULL = ("sides", "limits", "frame", "masks", "camera")
"""Parts whose tables are printed whole; of the others the goals say enough."""


def write(path: Path, document: Document) -> None:
    """Put the section between the two comments of a README, which stay.

    Raises:
        ConfigError: The file has no such comments, or the document holds smoke runs.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"--readme {path}: cannot be read ({error.strerror}); give a README.md") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{path}: wanted a line {BEGIN!r} and after it a line {END!r}; put them where Speed belongs")
    smoke = [name for name, entry in document.entries.items() if entry.smoke]
    if smoke:
        raise ConfigError(f"benchmark: {', '.join(smoke)} came from --smoke; measure them in full before quoting them")
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    partial.write_text(f"{before}{BEGIN}\n{section(document)}\n{END}{after}")
    os.replace(partial, path)


def section(document: Document) -> str:
    """The Markdown between the two comments."""
    document = document.sorted()
    chunks = [_measured(document), _goals(document)]
    chunks += [_part(name, document.entries[name]) for name in IN_FULL if name in document.entries]
    return "\n\n".join(chunk for chunk in chunks if chunk)


def _measured(document: Document) -> str:
    """Command and machine; parts that share them are told together."""
    told: dict[tuple[str, ...], list[str]] = {}
    for entry in document.entries.values():
        versions = ", ".join(f"{package} {version}" for package, version in entry.machine["versions"].items())
        key = (entry.machine["date"], machine.line(entry.machine), f"Python {entry.machine['python']}, {versions}")
        told.setdefault(key, []).extend(f"`{command}`" for command in entry.commands)
    lines = []
    for (date, line, versions), commands in told.items():
        lines.append(f"{date}, {line}; {versions}. {', '.join(dict.fromkeys(commands))}.")
    lines.append(
        "Medians of interleaved rounds, ± half their spread. *User* is what one would write: ray.data, PyAV, torch "
        "fp32 on every frame on all cores, PNG and Parquet ([naive.py](vss_ray/cluster/benchmark/naive.py)). Ratios "
        "are the claim: absolute times are this machine's."
    )
    return "\n\n".join(lines)


def _goals(document: Document) -> str:
    found = tables.goals(document)
    if not found:
        return ""
    lines = ["| goal | wanted | measured |", "|---|---|---|"]
    for title, figure in found:
        measured = f"**{figure.text}**" if figure.met else f"{figure.text}, missed"
        lines.append(f"| {title}: {figure.case}: {figure.name} | {figure.wanted} | {measured} |")
    return "\n".join(lines)


def _part(name: str, entry: Entry) -> str:
    part = parts.load(name)
    about = " ".join(part.__doc__.partition("\n\n")[0].split())
    notes = "\n".join(f"- {note}" for note in entry.result.notes)
    return f"**{part.TITLE}.** {about}\n\n{tables.markdown(entry.result.figures)}\n\n{notes}".rstrip()
