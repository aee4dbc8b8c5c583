"""Which kinds of files FFmpeg may take a file for, and what it may open on the way: nothing but the file itself.

FFmpeg looks at what is inside, not at the name. A file called ``.mp4`` may be a playlist (HLS, DASH, concat, SDP) that
has it read other files of this machine, or anything in the network. So only formats that hold their own video are
tried; those that hold sound or text alone are among them, so that it can be said what such a file is.
"""

from __future__ import annotations

VIDEO = (
    "mov matroska avi mpegts mpegtsraw mpeg flv live_flv asf asf_o ivf ogg mxf nut gxf lxf dv dvd wtv rm swf nsv "
    "amv pva pmp psxstr thp bink smk flic film_cpk roq 4xm ea yuv4mpegpipe avs cine dhav ifv ipmovie jv mm mtv "
    "mvi nuv rl2 rpl smush tiertexseq tmv ty vmd xmv mlv moflex obu av1 h261 h263 h264 hevc vvc evc m4v mpegvideo "
    "mjpeg mjpeg_2000 vc1 vc1test cavsvideo avs2 avs3 dirac dnxhd apv"
)
PICTURES = (
    "gif apng webp gif_pipe png_pipe jpeg_pipe jpegls_pipe j2k_pipe jpegxl_pipe jpegxl_anim webp_pipe bmp_pipe "
    "tiff_pipe ppm_pipe pgm_pipe pbm_pipe pam_pipe exr_pipe dpx_pipe tga_pipe sgi_pipe psd_pipe qoi_pipe ico"
)
SOUND_AND_TEXT = (
    "aac ac3 ac4 eac3 aiff amr amrnb amrwb ape au caf dts dtshd flac latm loas mp3 mlp mpc mpc8 oma opus qcp tak "
    "truehd tta voc w64 wav wv xwma srt ass webvtt"
)
WHITELIST = ",".join(f"{VIDEO} {PICTURES} {SOUND_AND_TEXT}".split())


def opening(*, is_remote: bool) -> dict[str, str]:
    """Options of FFmpeg for a file that anybody may have written.

    Args:
        is_remote: Whether FFmpeg is handed a file object, and so has nothing to open itself.
    """
    return {"format_whitelist": WHITELIST, "protocol_whitelist": "none" if is_remote else "file"}
