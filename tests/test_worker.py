"""A worker outlives its work's exceptions, and never blocks the one who hands it over."""

from __future__ import annotations

import threading

from bedside.worker import Worker


def test_a_worker_handles_items_in_order_and_finishes_them_before_it_stops() -> None:
    seen: list[int] = []
    worker = Worker[int]("test", seen.append, capacity=100)
    for number in range(50):
        worker.put(number)
    worker.start()
    assert worker.stop()
    assert seen == list(range(50))


def test_an_exception_is_counted_and_reported_and_the_next_item_is_handled() -> None:
    seen: list[int] = []
    told: list[BaseException] = []

    def handle(number: int) -> None:
        if number == 1:
            raise ValueError("one")
        seen.append(number)

    worker = Worker[int]("test", handle, capacity=10, failed=told.append)
    for number in range(3):
        worker.put(number)
    worker.start()
    assert worker.stop()
    assert seen == [0, 2]
    assert worker.failures == 1
    assert [str(error) for error in told] == ["one"]


def test_a_full_queue_refuses_at_once_and_counts() -> None:
    release = threading.Event()
    worker = Worker[int]("test", lambda _: release.wait(60) and None, capacity=2)
    worker.start()
    taken = [worker.put(number) for number in range(10)]
    assert taken.count(False) == worker.overflows >= 7
    release.set()
    assert worker.stop()


def test_idle_work_is_done_although_nothing_comes() -> None:
    called = threading.Event()
    worker = Worker[int]("test", lambda _: None, capacity=1, every_s=0.01, idle=called.set)
    worker.start()
    assert called.wait(60)
    assert worker.stop()


def test_idle_work_is_done_although_something_always_comes() -> None:
    called = threading.Event()
    worker = Worker[int]("test", lambda _: None, capacity=10, every_s=0.01, idle=called.set)
    worker.start()
    while not called.is_set():
        worker.put(1)
    assert worker.stop()


def test_what_comes_soon_after_the_first_item_can_be_handled_with_it() -> None:
    handled: list[list[int]] = []
    worker = Worker[int](
        "test",
        lambda first: handled.append([first, *worker.more(3)]),
        capacity=100,
        together_s=1.0,
    )
    worker.start()
    for number in range(10):
        worker.put(number)
    assert worker.stop()
    assert handled == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
