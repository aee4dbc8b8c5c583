"""Keys never leave the place where they were given: not in OUT, not on the terminal, not in an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from vss_ray import config
from vss_ray.addresses import check_address, without_secrets
from vss_ray.cli import main
from vss_ray.cluster.operators import explained
from vss_ray.errors import StorageError
from vss_ray.failures import Failure
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.remote import storage_error
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.location import Location
from vss_ray.viewer.app import build

CANARY = "C4n4ry"
KEYS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}/Secret+Key",
    "AWS_SESSION_TOKEN": f"{CANARY}.Session",
    "HF_TOKEN": f"hf_{CANARY}",
    "AWS_ENDPOINT_URL": f"http://user:{CANARY}@127.0.0.1:1",  # a port where nobody listens
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CARRYING = [
    f"s3://AKIA:{CANARY}@bucket/x",
    f"s3://AKIA:12/{CANARY}/+?34@bucket/x",
    f"s3://{CANARY}@bucket/x",
    f"https://user:{CANARY}@host/x.mp4",
    f"HTTPS://{CANARY}@host/x.mp4",
    f"sftp://user:{CANARY}@host/x.mp4",
    f"https://host/x.mp4?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY}",
    f"https://host/x.mp4?sv=1&sig={CANARY}",
    f"https://host/x.mp4?anything={CANARY}",
    f"az://box/x.mp4?token={CANARY}",
    f"simplecache::https://user:{CANARY}@host/x.mp4",
]
HARMLESS = [
    "s3://bucket/folder/a@b.mp4",
    "s3://bucket/*/part?.mp4",
    "http://host:8080/a@b.mp4",
    "abfs://box@account.dfs.core.windows.net/x",
    "sftp://user@host/x",
    "s3://arn:aws:s3:eu-west-1:1:accesspoint/mine/a@b.mp4",
    "/videos/a:b@c?sig=1.mp4",
]


@pytest.mark.parametrize("address", CARRYING)
def test_an_address_with_a_key_is_refused_in_one_sentence_without_it(address, tmp_path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text(f"{address}\n")
    point = config.load("per_frame")
    for refuse in (
        lambda: list_videos(address),
        lambda: list_videos(str(listing)),
        lambda: Location.open(address),
        lambda: Run.start(Location.open(tmp_path / "out"), point, address),
    ):
        with pytest.raises(StorageError, match="AWS_SECRET_ACCESS_KEY") as error:
            refuse()
        assert CANARY not in str(error.value)
        assert "\n" not in str(error.value)
        assert error.value.__cause__ is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", HARMLESS)
def test_other_addresses_are_left_as_they_are(address) -> None:
    check_address(address)
    assert without_secrets(f"cannot read {address}: it is not there") == f"cannot read {address}: it is not there"


def test_errors_of_drivers_are_told_without_the_addresses_that_they_name() -> None:
    said = OSError(f'404 at url="https://cdn/x?Signature={CANARY}", proxy http://me:{CANARY}@proxy:3128')
    for told in (str(storage_error("s3://b/x", said)), explained(storage_error("s3://b/x", said))):
        assert CANARY not in told
        assert "404 at url=" in told


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters=" \t\"'<>", exclude_categories=("Z", "C")), min_size=1))
def test_whatever_the_password_is(secret: str) -> None:
    assume("://" not in secret)  # there another address begins
    for address in (f"s3://AKIA:{secret}{CANARY}@bucket/x", f"https://u:{CANARY}{secret}{CANARY}@host/x"):
        assert CANARY not in without_secrets(f"cannot read {address}: no")


@pytest.fixture
def clients_of_its_own() -> Iterator[None]:
    """Clients keep the endpoint and the keys that they were made with, and are shared."""
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.usefixtures("clients_of_its_own")
def test_no_byte_that_is_written_or_said_holds_a_key(video, tmp_path, monkeypatch, capfd) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    path, out = video, tmp_path / "out"
    clips = plan_clips(probe(list_videos(str(path))[0]))
    with pytest.raises(StorageError) as error:
        list_videos("s3://bucket/folder")
    with pytest.raises(StorageError) as unwritable:
        Location.open("s3://bucket/out").check_writable()
    run = Run.start(Location.open(out), config.load("per_frame"), str(path))
    run.write_manifest(clips)
    messages = [str(error.value), explained(error.value), str(unwritable.value)]
    run.write_failures(
        [
            Failure(video_id="v", clip_id=None, source="s3://bucket/x", stage="probe", error="E", message=message)
            for message in messages
        ]
    )
    for arguments, code in ((["status", str(out)], 0), (["status", "s3://bucket/x"], 1)):
        monkeypatch.setattr(sys, "argv", ["vss", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert (end.value.code or 0) == code
    written = [file.read_bytes() for file in out.rglob("*") if file.is_file()]
    assert len(written) == 3
    said = capfd.readouterr()
    everything = [*written, *map(str.encode, [*messages, *said])]
    assert "endpoint" in said.err
    assert not [each for each in everything if CANARY.encode() in each]


def test_a_viewer_shows_the_source_of_an_old_run_without_its_key(finished) -> None:
    run_json = Path(finished.location.root, "run.json")
    run_json.write_text(json.dumps(json.loads(run_json.read_text()) | {"source": f"https://u:{CANARY}@host/x"}))
    client = TestClient(build(Run.open(finished.location)), base_url="http://localhost")
    for path in ("/", "/rows", "/about/nothing"):
        assert CANARY not in client.get(path).text
