"""The pool of threads: calls that it makes while the caller goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ls_core.threads import Tasks, run_blocks, set_thread_count, thread_count


@pytest.fixture(params=[1, 2, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


@pytest.mark.usefixtures("threads")
def test_each_call_is_made_once_and_all_on_leaving() -> None:
    made: list[int] = []
    for _ in range(50):
        made.clear()
        with Tasks() as tasks:
            waited = [tasks.add(made.append, k) for k in range(8)]
            waited[5].wait()
            assert 5 in made
        assert sorted(made) == list(range(8))


def test_calls_are_made_while_the_caller_goes_on(threads: int) -> None:
    begun = threading.Event()
    with Tasks() as tasks:
        tasks.add(begun.set)
        assert begun.wait(10 if threads > 1 else 0) == (threads > 1)
    assert begun.is_set()


@pytest.mark.usefixtures("threads")
def test_a_calls_exception_is_raised_where_it_is_waited_for_or_on_leaving() -> None:
    def fail() -> None:
        raise ValueError("seven")

    went_on: list[int] = []

    def waiting() -> None:
        with Tasks() as tasks:
            tasks.add(fail).wait()
            went_on.append(0)

    def leaving() -> None:
        with Tasks() as tasks:
            tasks.add(fail)
            tasks.add(went_on.append, 1)

    with pytest.raises(ValueError, match="seven"):
        waiting()
    assert went_on == []
    with pytest.raises(ValueError, match="seven"):
        leaving()
    assert went_on == [1]


@pytest.mark.usefixtures("threads")
def test_a_block_that_fails_drops_what_nobody_has_begun_and_waits_for_the_rest() -> None:
    gate, made = threading.Event(), []

    def slow(k: int) -> None:
        gate.wait(0.05)
        made.append(k)

    def interrupted() -> None:
        with Tasks() as tasks:
            for k in range(40):
                tasks.add(slow, k)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    now = len(made)
    assert now < 40
    gate.wait(0.1)
    assert len(made) == now  # nothing runs on
    squares: list[int] = []
    run_blocks(lambda begin, end: squares.append(begin), [(0, 1), (1, 2)])  # and the pool is as good as before
    assert sorted(squares) == [0, 1]


@pytest.mark.usefixtures("threads")
def test_within_a_block_and_within_tasks_there_are_no_others() -> None:
    made: list[tuple[int, str]] = []

    def part(begin: int, _: int) -> None:
        with Tasks() as tasks:
            tasks.add(lambda: made.append((begin, threading.current_thread().name))).wait()

    run_blocks(part, [(0, 1), (1, 2)])
    with Tasks() as outer:
        here = threading.current_thread().name
        part(2, 3)
        outer.add(part, 3, 4)
    assert [begin for begin, _ in sorted(made)] == [0, 1, 2, 3]
    assert (2, here) in made
