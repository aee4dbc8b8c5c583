"""What is kept between answers."""

from __future__ import annotations

import threading
import time

import pytest

from vss_ray.viewer.remembered import Remembered


def test_an_answer_is_made_once():
    made = []
    store = Remembered(100, 4)

    def make() -> bytes:
        made.append(1)
        return b"x" * 10

    threads = [threading.Thread(target=store.get, args=("key", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert store.get("key", make) == b"x" * 10


def test_what_was_used_longest_ago_goes_first():
    store = Remembered(25, 1)
    for key in "ab":
        store.get(key, lambda: b"1234567890")
    store.get("a", lambda: pytest.fail("is there"))
    store.get("c", lambda: b"1234567890")
    store.get("a", lambda: pytest.fail("is there"))
    assert store.get("b", lambda: b"new") == b"new"


def test_an_error_is_not_remembered():
    store = Remembered(25, 1)
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: b"%d" % (1 // 0))
    assert store.get("a", lambda: b"fine") == b"fine"


def test_what_is_larger_than_all_room_is_answered_all_the_same():
    store = Remembered(5, 1)
    assert store.get("a", lambda: b"1234567890") == b"1234567890"
    assert store.get("b", lambda: b"12") == b"12"


def test_an_answer_that_two_made_after_an_error_takes_its_room_once():
    store, release = Remembered(25, 4), threading.Event()

    def fail() -> bytes:
        release.wait()
        raise FileNotFoundError

    def first() -> None:
        with pytest.raises(FileNotFoundError):
            store.get("a", fail)

    waiting = [
        threading.Thread(target=first),
        # It waits for the first one; another that asks after the error does not wait for it.
        threading.Thread(target=store.get, args=("a", lambda: store.get("a", lambda: b"1234567890"))),
    ]
    for thread in waiting:
        thread.start()
        time.sleep(0.1)
    release.set()
    for thread in waiting:
        thread.join()
    store.get("b", lambda: b"1234567890")
    assert store.get("a", lambda: pytest.fail("is there")) == b"1234567890"
