"""Names of files that mean harm: to the terminal, to paths, to ids."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vss_ray import cli
from vss_ray.cli.values import as_markup, as_text
from vss_ray.clips import ID, video_id
from vss_ray.cluster.planning import apart
from vss_ray.errors import StorageError, VideoError
from vss_ray.failures import Failure
from vss_ray.media.archive import ArchiveEntry, list_videos
from vss_ray.printable import printable
from vss_ray.run import Run

TITLE, CLEAR, BACK = "\x1b]0;owned\x07", "\x1b[2J", "safe\u202e4pm.exe"
NAMES = [
    *(f"{each}.mp4" for each in (TITLE, CLEAR, BACK, "\x9b2J", "a\nvss: all is well")),
    "[red]x[/red].mp4",
    "[/]x.mp4",
]
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)
TWINS = ("driveαδνμ.mp4", "driveβκ=#.mp4")
"""Found by trying: their digests are the same, too."""


def unsafe(text: str) -> list[str]:
    """Characters that a terminal does not show but obey; line ends aside."""
    return [char for char in text if not char.isprintable() and char != "\n"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_reaches_the_terminal_raw(name: str, finished: Run, tmp_path, monkeypatch, capfd) -> None:
    (tmp_path / "films").mkdir()
    path = tmp_path / "films" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"")
    (tmp_path / "films" / f"{name}.mp4").symlink_to("/etc/passwd")
    finished.write_failures(
        [
            Failure(video_id="v", clip_id=None, source="x", stage="probe", error="E", message=f"{path}: is empty"),
            Failure(video_id="w", clip_id=None, source=str(path), stage=name, error="E", message="x", signal=name),
        ]
    )
    out = finished.location.root
    for arguments in (
        ["status", out],
        ["search", out, f"{name} > 2%"],
        ["export", out, str(tmp_path / "dest"), "--video", name],
        ["status", str(path)],
        ["sql", out, f"SELECT '{name.replace(chr(39), '')}'"],
        ["similar", out, str(path)],
    ):
        monkeypatch.setattr(sys, "argv", ["vss", *arguments])
        with pytest.raises(SystemExit):
            cli.main()
    said = capfd.readouterr()
    assert not unsafe(said.out + said.err)
    assert not [line for line in (said.out + said.err).splitlines() if line.startswith("vss: all is well")]


def test_logs_are_as_safe(monkeypatch, capfd) -> None:
    handler = cli._handler()
    handler.console = Console(file=sys.stderr, width=200)  # type: ignore[attr-defined]
    logger = cli.logging.getLogger("vss_ray.test")
    logger.addHandler(handler)
    try:
        logger.warning("%s is left out of https://me:secret@host/x", f"{TITLE}[red]")
    finally:
        logger.removeHandler(handler)
    said = capfd.readouterr().err
    assert "[red]" in said
    assert "secret" not in said
    assert not unsafe(said)


@given(st.text().filter(lambda text: not text.endswith("\\")))  # escape doubles it: more markup may follow
def test_text_for_the_terminal_is_text(text: str) -> None:
    assert not unsafe(printable(text))
    console = Console(width=10_000, color_system=None)
    with console.capture() as shown:
        console.print(as_markup(text), highlight=False, emoji=False, soft_wrap=True, end="")
    assert shown.get().rstrip() == printable(text).rstrip()
    assert as_text(text).plain == printable(text)


@given(st.lists(ANY, min_size=2, max_size=2, unique=True))
def test_ids_are_safe_and_distinct(names: list[str]) -> None:
    first, second = map(video_id, names)
    assert first != second
    for each in (first, second):
        assert re.fullmatch(ID, each)
        assert len(each) <= 89


@pytest.mark.parametrize(
    "name", ["..", "../x", "/etc/passwd", "C:\\x", "con", "", ".", "-rf", "a/../b", "\0", "\udcff"]
)
def test_ids_of_names_that_are_paths(name: str) -> None:
    made = video_id(name)
    assert re.fullmatch(ID, made)
    assert not made.startswith(".")


def test_two_names_that_give_one_id_stay_two_files() -> None:
    entries = [ArchiveEntry(relative_path=name, url=f"/films/{name}", size_bytes=1) for name in (*TWINS, "other.mp4")]
    assert len({video_id(entry.relative_path) for entry in entries}) == 2
    named, twins = apart(entries)
    assert named == [entries[0], entries[2]]
    assert twins == [(entries[1], entries[0])]


def test_links_that_lead_out_are_passed_over_and_names_stay_inside(video: Path, tmp_path, refusal, caplog) -> None:
    films = tmp_path / "films"
    (films / "sub").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(video.read_bytes())
    (films / "link.mp4").symlink_to(outside / "secret.mp4")
    (films / "folder").symlink_to(outside)
    (films / "loop").symlink_to(films)
    (films / "up.mp4").symlink_to("../outside/secret.mp4")
    (films / "sub" / "again.mp4").symlink_to("../real.mp4")
    assert "holds no video" in refusal(VideoError, list_videos, str(films))
    (films / "real.mp4").write_bytes(video.read_bytes())
    found = list_videos(str(films))
    assert [os.path.realpath(entry.url) for entry in found] == [str(films / "real.mp4")]
    assert "is left out: it leads to" in caplog.text
    assert not [entry for entry in found if ".." in asdict(entry)["relative_path"].split("/")]


def test_a_list_with_lines_that_are_no_names(tmp_path, refusal) -> None:
    listing = tmp_path / "list.txt"
    for line in ("a\0b.mp4", "x" * 300, "nosuch://x", "://", ".", "/", "/dev/zero", "\x1b]0;x\x07.mp4"):
        listing.write_text(f"{line}\n")
        refusal(StorageError, list_videos, str(listing))
    listing.write_bytes(b"\xff\xfe.mp4\n")
    refusal(StorageError, list_videos, str(listing))
