"""What the commands share: the application, the options that mean the same everywhere, and how answers are printed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Segment video archives and ask what is in them.",
)
progress = Console(stderr=True)
"""Where people look; stdout is for answers."""

Source = Annotated[str, typer.Argument(help="File, folder, glob, .txt list, or s3:// prefix.", show_default=False)]
Out = Annotated[str, typer.Argument(help="Folder of the run: a path or s3://.", show_default=False)]
ConfigName = Annotated[str, typer.Option("--config", help="Operating point: a name in configs/ or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, any field: keyframes.every=20.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster, such as auto or HOST:6379; none: this machine.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many.")]


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(content, indent=2))
