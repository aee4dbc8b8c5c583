"""The command line: parse, call, print, exit code. 0 all done, 1 refused before starting, 2 done with failed clips."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import typer
from rich.logging import RichHandler

from vss_ray.addresses import without_secrets
from vss_ray.cli.app import app, progress
from vss_ray.cli.values import as_markup
from vss_ray.errors import QueryError, VssError
from vss_ray.printable import printable

for _commands in ("work", "objects", "ask", "show", "learn"):  # in the order of `vss --help`
    import_module(f"{__name__}.{_commands}")


def main() -> None:
    """Entry point: errors that a user can cause are one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, handlers=[_handler()])
    with _refusals():
        try:
            app()
        except SystemExit as end:  # 2 is Typer's code for a wrong call and ours for failed clips: the former becomes 1
            sys.exit(1 if end.code == 2 and not isinstance(end.__context__, typer.Exit) else end.code)


class _Lines(logging.Formatter):
    """Messages name files of the archive, and those of drivers addresses."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, without_secrets(super().format(record)).split("\n")))


def _handler() -> logging.Handler:
    handler = RichHandler(console=progress)
    handler.setFormatter(_Lines("%(message)s"))
    return handler


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except VssError as error:
        told = without_secrets(str(error))
        lines = told.split("\n") if isinstance(error, QueryError) else [told]  # a query is shown with a mark under it
        shown = "\n".join(map(as_markup, lines))
        progress.print(f"[bold red]vss:[/] {shown}", highlight=False, soft_wrap=True)
        sys.exit(1)
