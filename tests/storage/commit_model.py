"""The commit protocol as a small machine whose every run can be gone through.

Two commands are given the same OUT. Each runs a program of atomic calls to the store, one call a step, as
``vss segment`` makes them for its pass:

    take the lease -> list records -> for every clip that is not done: write its mask, write its record
    -> list records, write the tables from them
    -> list masks, delete coarse records, then coarse masks, of clips that are done in full in those tables
    -> give the lease back

Between any two steps the other one may step, and a command may be killed. Killed, it is started again from its first
step, and a worker of the dead one may live on: what it had still to write for its clip, it writes at any later time.
The lease is given to who finds none, or one whose owner is dead.

The real calls are atomic: a rename, or a put. Left out is what a file holds (the same input gives the same bytes), and
run.json, the manifest and the list of failures, on which no clip depends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

COARSE, FULL = "coarse", "full"
File = tuple[str, int]
"""Pass and clip."""
Call = tuple[str, int]
"""Name and clip; 0 where a call is about no clip."""


@dataclass(frozen=True)
class Store:
    """What is in OUT."""

    masks: frozenset[File] = frozenset()
    records: frozenset[File] = frozenset()
    tables: frozenset[File] = frozenset()
    """The records that the tables were made from."""
    owner: int | None = None
    """Which command has the lease."""


@dataclass(frozen=True)
class Writer:
    """A command at work, or a worker that outlives its command."""

    of_pass: str
    kills: int
    """How often it may still be killed."""
    todo: tuple[Call, ...]
    """What it will call next, the first one first; none: it is done."""
    records: frozenset[File] = frozenset()
    """What its last listing showed."""


State = tuple[Store, tuple[Writer, ...]]


@dataclass(frozen=True)
class Protocol:
    """The order of calls: the real one, or a mistaken one."""

    start: tuple[Call, ...] = (("take", 0), ("list", 0))
    clip: tuple[str, ...] = ("mask", "record")
    end: tuple[str, ...] = ("look", "compact", "drop", "give")
    drop: tuple[str, ...] = ("unrecord", "unmask")
    best: str = FULL
    """Of a clip's two records, the one that counts."""


def begun(protocol: Protocol, *passes: str, kills: int) -> State:
    """Commands for these passes, none of which has made a step."""
    return Store(), tuple(Writer(of_pass, kills, protocol.start) for of_pass in passes)


def steps(state: State, protocol: Protocol, clips: int) -> Iterator[State]:
    """All states that can follow."""
    store, writers = state
    for i, writer in enumerate(writers):
        if not writer.todo:
            continue
        if writer.todo[0] == ("take", 0):
            is_dead = store.owner is not None and writers[store.owner].todo == protocol.start
            if store.owner is None or is_dead:
                after = replace(writer, todo=writer.todo[1:])
                yield replace(store, owner=i), (*writers[:i], after, *writers[i + 1 :])
            continue
        after, stepped = _step(store, writer, protocol, clips)
        yield after, (*writers[:i], stepped, *writers[i + 1 :])
        if writer.kills:
            again = (*writers[:i], Writer(writer.of_pass, writer.kills - 1, protocol.start), *writers[i + 1 :])
            yield store, again
            (name, clip), *_ = writer.todo
            if name in protocol.clip:
                rest = tuple(call for call in writer.todo if call[0] in protocol.clip and call[1] == clip)
                yield store, (*again, Writer(writer.of_pass, 0, rest))


def _step(store: Store, writer: Writer, protocol: Protocol, clips: int) -> tuple[Store, Writer]:
    (name, clip), *rest = writer.todo
    writer = replace(writer, todo=tuple(rest))
    own, coarse = (writer.of_pass, clip), (COARSE, clip)
    match name:
        case "list":
            done = {clip for of_pass, clip in store.records if of_pass in (writer.of_pass, FULL)}
            missing = [clip for clip in range(clips) if clip not in done]
            calls = [(call, clip) for clip in missing for call in protocol.clip]
            return store, replace(writer, todo=(*calls, *((call, 0) for call in protocol.end)))
        case "mask":
            return replace(store, masks=store.masks | {own}), writer
        case "record":
            return replace(store, records=store.records | {own}), writer
        case "look":
            return store, replace(writer, records=store.records)
        case "compact":
            return replace(store, tables=best(writer.records, protocol.best)), writer
        case "drop":
            files = {"unrecord": writer.records, "unmask": store.masks}
            calls = [
                (call, clip)
                for call in protocol.drop
                for clip in range(clips)
                if (COARSE, clip) in files[call] and (FULL, clip) in writer.records
            ]
            return store, replace(writer, todo=(*calls, *rest))
        case "unrecord":
            return replace(store, records=store.records - {coarse}), writer
        case "unmask":
            return replace(store, masks=store.masks - {coarse}), writer
        case "give":
            return replace(store, owner=None), replace(writer, records=frozenset())
    raise ValueError(name)


def best(records: frozenset[File], wins: str) -> frozenset[File]:
    """Of every clip one record."""
    loses = COARSE if wins == FULL else FULL
    clips = {clip for _, clip in records}
    return frozenset((wins if (wins, clip) in records else loses, clip) for clip in clips)


def broken(before: Store, state: State, clips: int) -> list[str]:
    """What does not hold in a state, or not after the one before it."""
    store, writers = state
    now, all_clips = best(store.records, FULL), set(range(clips))
    done = {clip for _, clip in now}
    wrong = {
        "a clip is done and its mask is not there": not now <= store.masks,
        "a clip that was done is so no more": not {clip for _, clip in before.records} <= done,
        "a clip that was done in full is coarse": any(of == FULL for of, _ in best(before.records, FULL) - now),
        "the tables name a mask that is not there": not store.tables <= store.masks,
        "the tables go from full to coarse": any(of == FULL for of, _ in before.tables - store.tables),
    }
    if not any(writer.todo for writer in writers):
        wrong["at the end a clip is not done"] = done != all_clips
        wrong["at the end the tables are not the records"] = store.tables != now
    return [name for name, is_so in wrong.items() if is_so]


def explore(protocol: Protocol, *passes: str, kills: int, clips: int) -> tuple[int, set[str]]:
    """Go through every state that can be reached.

    Returns:
        How many there are, and what was found broken.
    """
    start = begun(protocol, *passes, kills=kills)
    seen, queue, found = {start}, deque([start]), set()
    while queue:
        state = queue.popleft()
        for after in steps(state, protocol, clips):
            found.update(broken(state[0], after, clips))
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return len(seen), found
