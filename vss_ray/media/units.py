"""What is kept of a packet: its times, and whether it becomes a picture."""

from __future__ import annotations

from av.packet import Packet
from av.video.stream import VideoStream

from vss_ray.media.fields import FieldPairs
from vss_ray.media.timeline import Unit

SHOWN = 0x10
"""Bit of a VP8 frame's first byte (RFC 6386, 9.1); WebM stores reference frames that are not shown as packets too."""
NOT_CODED = 8
"""Bytes that an MPEG-4 picture saying "as before" takes at most; any other takes a bit for each macroblock."""


class Units:
    """Follows a stream packet by packet."""

    def __init__(self, stream: VideoStream) -> None:
        self.reorders = bool(stream.codec_context.has_b_frames)
        """Whether pictures are decoded in another order than they are shown."""
        self._codec = stream.codec_context.name
        self._is_large = stream.width * stream.height > 128 * 128
        self._pairs = FieldPairs(stream)

    def of(self, packet: Packet) -> Unit:
        """The next packet; one that completes the picture of the one before shows nothing of its own."""
        second_field = self._pairs.is_second(packet)
        return Unit(
            pts=packet.pts,
            dts=packet.dts,
            duration=packet.duration or 0,
            key=packet.is_keyframe and not second_field,
            shown=not (second_field or packet.is_discard or self._is_hidden(packet)),
            corrupt=packet.is_corrupt,
        )

    def _is_hidden(self, packet: Packet) -> bool:
        """Whether the packet decodes to no picture."""
        if self._codec == "vp8":
            return not memoryview(packet)[0] & SHOWN
        # With B-frames it stands for the second picture that an earlier packet holds.
        return packet.size <= NOT_CODED and self._is_large and self._codec == "mpeg4" and not self.reorders
