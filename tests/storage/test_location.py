"""Locations on disk, in memory and in a real S3: one behavior, and errors that say what to do."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import uuid

import fsspec
import pytest
import s3fs
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.errors import StorageError
from vss_ray.storage.location import Location, MissingError

KINDS = ["disk", "memory", pytest.param("s3", marks=pytest.mark.s3)]


@pytest.fixture(params=KINDS)
def location(request, tmp_path) -> Location:
    if request.param == "disk":
        return Location.open(tmp_path / "out")
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("s3").url
    return Location.open(f"{root}/{uuid.uuid4().hex}/out")


def test_what_is_written_is_read(location):
    data = os.urandom(100_000)
    location.write("a/b/c.bin", data)
    assert location.read("a/b/c.bin") == data
    assert location.exists("a/b/c.bin")
    assert location.size("a/b/c.bin") == 100_000
    assert not location.exists("a/b")
    location.write("a/b/c.bin", b"")
    assert location.read("a/b/c.bin") == b""
    assert location.size("a/b/c.bin") == 0


def test_a_file_of_this_machine_becomes_one_of_the_location(location, tmp_path):
    (tmp_path / "local").write_bytes(data := os.urandom(5_000_000))
    location.write("a/b/c.bin", b"before")
    location.write_files({"a/b/c.bin": tmp_path / "local"})
    assert location.read("a/b/c.bin") == data
    assert location.list() == ["a/b/c.bin"]
    with pytest.raises(StorageError):
        location.write_files({"a/b/d.bin": tmp_path / "missing"})
    assert location.list() == ["a/b/c.bin"]


def test_lists_what_is_there_at_any_time(location):
    assert location.list() == []
    assert location.list("commits") == []
    names = [f"commits/v{video}/{clip:03d}.parquet" for video in range(2) for clip in range(3)]
    for name in reversed(names):
        location.write(name, b"x")
    location.write("commits2/x y+z.parquet", b"x")
    location.write("run.json", b"{}")
    assert location.list("commits") == names
    assert location.list("commits/v1") == names[3:]
    assert location.list() == [*names, "commits2/x y+z.parquet", "run.json"]
    location.delete(names[0])
    assert location.list("commits") == names[1:]
    assert not location.exists(names[0])
    location.delete(names[0])


def test_listing_passes_over_unfinished_writes(location):
    location.write("masks/v/.000.mkv.0123456789abcdef.partial", b"half")
    location.write("masks/v/.hidden", b"")
    location.write("masks/v/a.partial", b"")
    assert location.list() == ["masks/v/.hidden", "masks/v/a.partial"]


def test_missing_files_are_told_apart(location):
    for action in (location.read, location.size, location.open_input):
        with pytest.raises(FileNotFoundError, match=r"none\.bin.*does not exist") as caught:
            action("none.bin")
        assert isinstance(caught.value, MissingError)
        assert isinstance(caught.value, StorageError)
    assert not location.exists("none.bin")


def test_input_is_seekable(location):
    location.write("video.bin", bytes(range(256)) * 100)
    with location.open_input("video.bin") as file:
        file.seek(-2, io.SEEK_END)
        assert file.read() == bytes([254, 255])
        file.seek(300)
        assert file.tell() == 300
        assert file.read(3) == bytes([44, 45, 46])


def test_is_a_value_that_travels(location):
    location.write("x", b"1")
    copy = pickle.loads(pickle.dumps(location))
    assert copy == location
    assert copy.read("x") == b"1"


def test_writable_leaves_nothing(location):
    location.check_writable()
    assert location.list() == []
    assert not fsspec.core.url_to_fs(location.url("x"))[0].glob(location.url(".*"))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\0b"])
def test_paths_that_leave_the_root_are_refused(tmp_path, path):
    location = Location.open(tmp_path)
    for action in (location.read, location.exists, location.size, location.open_input, location.delete, location.url):
        with pytest.raises(ValueError, match="no relative path"):
            action(path)
    with pytest.raises(ValueError, match="no relative path"):
        location.write(path, b"")
    if path:
        with pytest.raises(ValueError, match="no relative path"):
            location.list(path)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4).map("/".join))
@settings(max_examples=60, deadline=None)
def test_any_path_is_inside_or_refused(tmp_path_factory, path):
    folder = tmp_path_factory.getbasetemp() / "any"
    location = Location.open(folder)
    try:
        location.write(path, b"x")
    except (ValueError, StorageError):
        return
    assert path in location.list()
    assert os.path.realpath(folder / path).startswith(f"{os.path.realpath(folder)}/")
    location.delete(path)


def test_urls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Location.open("out/") == Location.open(f"file://{tmp_path}/out") == Location.open(tmp_path / "out")
    assert Location.open("~/out").root == os.path.expanduser("~/out")
    assert Location.open("out").url("run.json") == f"{tmp_path}/out/run.json"
    assert Location.open("s3://bucket/a/").url("b c") == "s3://bucket/a/b c"
    assert Location.open(tmp_path / "a::b").root == f"{tmp_path}/a::b"
    with pytest.raises(StorageError, match="no bucket"):
        Location.open("s3://")
    with pytest.raises(StorageError, match=r"s3:// *$"):
        Location.open("nosuch://bucket/a")


def test_disk_write_that_dies_leaves_the_old_file(tmp_path, monkeypatch):
    location = Location.open(tmp_path)
    location.write("a/x", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"a/x: there is no space left; make room"):
        location.write("a/x", b"new")
    assert location.read("a/x") == b"old"
    assert os.listdir(tmp_path / "a") == ["x"]


def test_disk_file_has_the_usual_rights(tmp_path):
    Location.open(tmp_path).write("x", b"")
    (tmp_path / "y").touch()
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_disk_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/out.*a file stands where a folder belongs.*choose another path"):
        Location.open(tmp_path / "file" / "out").check_writable()
    with pytest.raises(StorageError, match="choose"):
        Location.open("/proc/vss").check_writable()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_folder_of_somebody_else_is_named(tmp_path):
    script = (
        "import os, sys; from vss_ray.storage.location import Location; from vss_ray.errors import StorageError\n"
        "os.setuid(65534)\n"
        "try: Location.open(sys.argv[1]).check_writable()\n"
        "except StorageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "out"], capture_output=True, text=True, check=True)
    assert "permission denied; choose a folder that is yours" in done.stdout


@pytest.mark.s3
def test_s3_lists_past_one_page(s3):
    location = Location.open(f"{s3.url}/{uuid.uuid4().hex}")
    filesystem = s3fs.S3FileSystem()
    top = location.root.removeprefix("s3://")
    filesystem.pipe({f"{top}/commits/v/{clip:09d}.parquet": b"" for clip in range(1100)})
    assert len(location.list("commits")) == 1100


@pytest.mark.s3
def test_s3_says_what_is_wrong(s3, monkeypatch):
    def failure(root=s3.url, **variables):
        s3fs.S3FileSystem.clear_instance_cache()
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value) if value else environment.delenv(name)
            with pytest.raises(StorageError) as caught:
                Location.open(f"{root}/out").check_writable()
        s3fs.S3FileSystem.clear_instance_cache()
        assert not isinstance(caught.value, MissingError)
        assert s3.secret_key not in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "the bucket does not exist; create it" in failure("s3://no-such-bucket")
    assert "access is denied (SignatureDoesNotMatch); check AWS_ACCESS" in failure(AWS_SECRET_ACCESS_KEY="wrong-secret")
    assert "access is denied (InvalidAccessKeyId); check AWS_ACCESS_KEY" in failure(AWS_ACCESS_KEY_ID="wrong")
    assert "no credentials" in failure(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "AWS_ENDPOINT_URL" in failure(AWS_ENDPOINT_URL="nonsense")
    assert "Invalid bucket name" in failure("s3://Bad_Bucket$")
    for action in ("read", "size", "list", "exists"):
        with pytest.raises(StorageError, match="the bucket does not exist"):
            getattr(Location.open("s3://no-such-bucket"), action)("x")


@pytest.mark.s3
def test_s3_endpoint_that_is_not_there(s3, monkeypatch):
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hidden@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match="the endpoint cannot be reached; check AWS_ENDPOINT_URL") as caught:
        Location.open(s3.url).check_writable()
    assert "hidden" not in str(caught.value)
    s3fs.S3FileSystem.clear_instance_cache()
