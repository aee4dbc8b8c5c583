"""Files, folders, globs, lists and URLs become one sorted list; whatever is wrong becomes one sentence."""

from __future__ import annotations

import io
import os
import uuid
from contextlib import nullcontext
from pathlib import Path

import fsspec
import pytest
import s3fs

from vss_ray.errors import StorageError, VideoError
from vss_ray.media import container
from vss_ray.media.archive import ArchiveEntry, list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.remote import RemoteFile
from vss_ray.plan import plan_clips


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    names = ("b.mp4", "a/c.MKV", "a/d/e.ts", "notes.md", ".hidden.mp4", ".git/f.mp4", "a/odd näme (1) 'q' #%20&[x].mp4")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def names(entries: list[ArchiveEntry]) -> list[str]:
    return [entry.relative_path for entry in entries]


def test_a_folder(tree: Path) -> None:
    entries = list_videos(str(tree))
    assert names(entries) == ["a/c.MKV", "a/d/e.ts", "a/odd näme (1) 'q' #%20&[x].mp4", "b.mp4"]
    for entry in entries:
        assert Path(entry.url) == tree / entry.relative_path
        assert entry.size_bytes == len(entry.relative_path.encode())


def test_a_file_is_taken_whatever_its_name(tree: Path) -> None:
    for name in ("notes.md", ".hidden.mp4", "a/odd näme (1) 'q' #%20&[x].mp4"):
        assert names(list_videos(str(tree / name))) == [Path(name).name]
    assert names(list_videos(f"file://{tree}/b.mp4")) == ["b.mp4"]


def test_relative_paths_become_absolute(tree: Path, monkeypatch) -> None:
    monkeypatch.chdir(tree)
    assert [entry.url for entry in list_videos("b.mp4")] == [str(tree / "b.mp4")]
    assert len(list_videos(".")) == 4


def test_globs(tree: Path) -> None:
    assert names(list_videos(f"{tree}/*")) == ["b.mp4"]
    assert names(list_videos(f"{tree}/**/*.ts")) == ["a/d/e.ts"]
    assert names(list_videos(f"{tree}/a/*/*")) == ["d/e.ts"]
    assert names(list_videos(f"{tree}/*.md")) == ["notes.md"]


def test_links(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(b"x")
    (tree / "leads_out.mp4").symlink_to(outside / "secret.mp4")
    (tree / "folder_out").symlink_to(outside)
    (tree / "twice.mp4").symlink_to(tree / "b.mp4")
    (tree / "loop").symlink_to(tree)
    (tree / "broken.mp4").symlink_to(tree / "nowhere.mp4")
    for source in (str(tree), f"{tree}/**/*"):
        assert names(list_videos(source)) == ["a/c.MKV", "a/d/e.ts", "a/odd näme (1) 'q' #%20&[x].mp4", "b.mp4"]


def test_lists(tree: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/lists/g.mp4", b"12345")
    (tmp_path / "elsewhere.mp4").write_bytes(b"x")
    listing = tree / "list.txt"
    lines = ["b.mp4", "", "a/../b.mp4", str(tree / "a/d/e.ts"), "memory://lists/g.mp4", "../elsewhere.mp4", "notes.md"]
    listing.write_text("\n".join(lines))
    entries = list_videos(str(listing))
    assert names(entries) == ["../elsewhere.mp4", "a/d/e.ts", "b.mp4", "memory://lists/g.mp4", "notes.md"]
    assert [entry.size_bytes for entry in entries] == [1, 8, 5, 5, 8]
    listing.write_text("b.mp4\nmissing.mp4\n")
    with pytest.raises(StorageError, match=r"list\.txt: .*missing\.mp4: does not exist"):
        list_videos(str(listing))
    listing.write_text("\n\n")
    with pytest.raises(VideoError, match="holds no video"):
        list_videos(str(listing))


def test_urls(footage) -> None:
    data = footage("plain.mkv", codec="mpeg4").read_bytes()
    memory = fsspec.filesystem("memory")
    for name in ("a/x.mkv", "y.mkv", ".hidden/z.mkv", "notes.md"):
        memory.pipe(f"/bucket/run/{name}", data)
    memory.pipe("/bucket/run/list.lst", b"y.mkv\nmemory://bucket/run/a/x.mkv\n")
    assert names(list_videos("memory://bucket/run")) == ["a/x.mkv", "y.mkv"]
    assert names(list_videos("memory://bucket/run/**/*.mkv")) == ["a/x.mkv", "y.mkv"]
    assert names(list_videos("memory://bucket/run/list.lst")) == ["a/x.mkv", "y.mkv"]
    [entry] = list_videos("memory://bucket/run/y.mkv")
    assert entry == ArchiveEntry(relative_path="y.mkv", url="memory:///bucket/run/y.mkv", size_bytes=len(data))
    video = probe(entry)
    assert sum(1 for clip in plan_clips(video, 0.5) for _ in decode(clip)) == video.num_frames == 60


@pytest.mark.s3
def test_s3_lists_past_one_page_and_keeps_no_folder(s3) -> None:
    filesystem = s3fs.S3FileSystem()
    top = f"{s3.url.removeprefix('s3://')}/{uuid.uuid4().hex}"
    videos = {f"{number % 3}/{number:04d}.mp4": b"x" * (number % 5) for number in range(2100)}
    others = {"0/.hidden.mp4": b"x", "notes.md": b"x", "folder.mp4/": b""}
    filesystem.pipe({f"{top}/{name}": data for name, data in (videos | others).items()})
    entries = list_videos(f"s3://{top}")
    assert names(entries) == sorted(videos)
    assert [entry.size_bytes for entry in entries] == [len(videos[name]) for name in names(entries)]
    assert entries[0].url == f"s3://{top}/0/0000.mp4"
    filesystem.rm(f"{top}/0/0000.mp4")
    filesystem.pipe(f"{top}/late.mp4", b"x")
    assert names(list_videos(f"s3://{top}"))[-1] == "late.mp4"  # nothing is remembered from one look to the next
    assert len(list_videos(f"s3://{top}")) == len(videos)


def test_what_is_not_there(tree: Path) -> None:
    with pytest.raises(VideoError, match=r"holds no video; wanted names that end in .*\.mp4"):
        list_videos(f"{tree}/*.xyz")
    for source in (f"{tree}/gone", "memory://nothing/here.mp4"):
        with pytest.raises(StorageError, match="does not exist"):
            list_videos(source)
    with pytest.raises(StorageError, match="Protocol not known: nonsense"):
        list_videos("nonsense://bucket")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tree: Path) -> None:
    (tree / "b.mp4").chmod(0)
    [entry] = list_videos(str(tree / "b.mp4"))
    with pytest.raises(StorageError, match="may not be read"):
        probe(entry)


class Failing(io.BytesIO):
    """A file whose storage goes away after some reads."""

    def __init__(self, path: Path, reads: int) -> None:
        super().__init__(path.read_bytes())
        self._left, self.asked = reads, 0

    def read(self, size: int | None = -1) -> bytes:
        self.asked += 1
        if self.asked > self._left:
            raise TimeoutError("read timed out")
        return super().read(size)


@pytest.mark.parametrize("reads", range(4))
def test_storage_that_fails_on_the_way_is_asked_once(reads, footage, monkeypatch) -> None:
    failing = Failing(footage("plain.mkv", codec="mpeg4"), reads)
    monkeypatch.setattr(container, "READ", 4096)
    monkeypatch.setattr(container, "open_remote", lambda source: nullcontext(RemoteFile(failing)))
    with pytest.raises(StorageError, match=r"memory://a\.mkv: read timed out"):
        probe(ArchiveEntry(relative_path="a.mkv", url="memory://a.mkv", size_bytes=1))
    assert failing.asked == reads + 1
