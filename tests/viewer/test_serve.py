"""``vss view`` as it is called."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from vss_ray.errors import ConfigError
from vss_ray.viewer.serve import serve

START = "import sys; from vss_ray.cli import main; sys.argv = ['vss', *sys.argv[1:]]; main()"


@contextmanager
def started(run, *options):
    command = [sys.executable, "-c", START, "view", run.location.root, "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, re.match(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_address_it_prints_can_be_opened(run):
    with started(run) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"5 videos" in answer.read()
            assert "server" not in answer.headers
        process.terminate()
        assert process.wait(timeout=30) in (0, -15)


def test_beyond_this_machine_a_token_is_wanted(run):
    with started(run, "--host", "0.0.0.0") as (_, address):
        port, token = re.fullmatch(r"http://[^:/]+:(\d+)/\?token=([\w-]{43})", address).groups()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
        cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with cookies.open(f"http://127.0.0.1:{port}/?token={token}", timeout=30) as answer:
            assert answer.url == f"http://127.0.0.1:{port}/"
            assert b"5 videos" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"}), timeout=30
            )


def test_a_port_in_use_is_said(run):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="choose another --port"):
        serve(run, port=taken.getsockname()[1])


def test_a_host_that_is_none_is_said(run):
    with pytest.raises(ConfigError, match=r"cannot listen at no-such-host\.invalid"):
        serve(run, host="no-such-host.invalid", port=0)
