"""A video repeated, or its beginning, without decoding it: the same packets at later times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vss_ray.errors import VideoError
from vss_ray.media.container import demux, open_video


def loop(source: Path, target: Path, seconds: float, *, whole: bool = True) -> Path:
    """Write ``source`` again and again until ``target`` lasts ``seconds``; nothing happens if it is there.

    Args:
        source: Of constant frame rate.
        target: Appears when it is complete.
        seconds: Its length.
        whole: Only whole repeats, so the result may be longer; else it ends with the packet that fills it.

    Raises:
        VideoError: ``source`` tells no frame rate.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{os.getpid()}-{target.name}")
    with open_video(str(source)) as (_, stream), av.open(str(partial), "w") as output:
        if not stream.average_rate:
            raise VideoError(f"{source}: tells no frame rate; give a video of constant rate")
        wanted = round(seconds * stream.average_rate)
        copy = cast(VideoStream, output.add_stream_from_template(stream))
        copied = 0
        while copied < wanted:
            copied += _append(output, copy, source, copied, None if whole else wanted - copied)
    os.replace(partial, target)
    return target


def _append(output: OutputContainer, copy: VideoStream, source: Path, before: int, limit: int | None) -> int:
    """Packets of ``source`` after ``before`` others; how many there were."""
    with open_video(str(source)) as (container, stream):
        shift = round(before / cast(Fraction, stream.average_rate) / cast(Fraction, stream.time_base))
        count = 0
        for packet in _first(demux(container, stream), limit):
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.stream = copy
            output.mux(packet)
            count += 1
        return count


def _first(packets: Iterator[Packet], limit: int | None) -> Iterator[Packet]:
    for number, packet in enumerate(packets):
        if number == limit:
            return
        yield packet
