"""Who may ask, and what a page may do."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from vss_ray.viewer.app import build

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded(run):
    return build(run, hosts=frozenset({"localhost", "viewer.example"}), token=TOKEN)


def test_every_answer_carries_the_policy(client, ids):
    for path in ("/", "/static/style.css", f"/video/{ids['drive']}", f"/source/{ids['drive']}", "/nothing", "/words"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(client, method):
    answer = client.request(method, "/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8770", "127.0.0.1:1", "[::1]:8770", "LOCALHOST", "localhost:65535"]
)
def test_this_machine_by_its_names(client, host):
    assert client.get("/words", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8770", "", "localhost@evil", "10.0.0.1", "local host", "[",
     "localhost:1:2", "127.0.0.1.nip.io"],
)  # fmt: skip
def test_other_names_are_refused(client, host):
    assert client.get("/words", headers={"host": host}).status_code == 421


def test_other_sites_may_link_but_not_embed(client):
    embedding = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/", headers=embedding).status_code == 403
    assert client.get("/", headers={**embedding, "sec-fetch-site": "same-site"}).status_code == 403
    assert client.get("/", headers={**embedding, "sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/", headers={**embedding, "sec-fetch-site": "same-origin"}).status_code == 200


def test_token_once_then_a_cookie(guarded):
    browser = TestClient(guarded, base_url="http://viewer.example", follow_redirects=False)
    assert browser.get("/").status_code == 401
    for wrong in (
        "",
        "wrong",
        TOKEN[:-1],
        TOKEN + "x",
        "é",
        "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        assert browser.get("/", params={"token": wrong}).status_code == 401
    answer = browser.get("/?q=car&token=" + TOKEN)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?q=car"
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert browser.get("/").status_code == 200
    assert browser.get("/static/style.css").status_code == 200


def test_files_want_the_token_too(guarded, ids):
    stranger = TestClient(guarded, base_url="http://viewer.example")
    for path in (f"/source/{ids['drive']}", "/static/style.css", f"/thumbnail/{ids['drive']}", "/nothing"):
        assert stranger.get(path).status_code == 401


def test_the_way_on_stays_here(guarded):
    browser = TestClient(guarded, base_url="http://viewer.example", follow_redirects=False)
    answer = browser.get(f"http://viewer.example//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_with_a_token_addresses_are_names_enough(guarded):
    browser = TestClient(guarded, base_url="http://192.0.2.7:8770")
    assert browser.get("/").status_code == 401
    assert TestClient(guarded, base_url="http://evil.example").get("/").status_code == 421
