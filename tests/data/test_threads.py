"""Threads give results in order, raise the first error, and stop."""

import threading
import time

import pytest

from evoscope.data.files import in_threads


def test_results_keep_the_order_of_the_items():
    def slow_when_early(i):
        time.sleep(0.02 if i < 2 else 0)
        return i * i

    assert list(in_threads(slow_when_early, range(20))) == [i * i for i in range(20)]


def test_work_happens_in_several_threads():
    barrier = threading.Barrier(2, timeout=5)
    assert list(in_threads(lambda _: barrier.wait() >= 0, range(2))) == [True, True]


def test_first_error_is_raised_and_the_rest_is_cancelled():
    done = []

    def fails_at_once(i):
        if i == 0:
            raise ValueError("first")
        time.sleep(0.005)
        done.append(i)

    with pytest.raises(ValueError, match="first"):
        list(in_threads(fails_at_once, range(2000)))
    assert len(done) < 1000


def test_leaving_early_cancels_the_rest():
    done = []

    def record(i):
        time.sleep(0.005)
        done.append(i)

    results = in_threads(record, range(2000))
    next(results)
    results.close()
    assert len(done) < 1000
