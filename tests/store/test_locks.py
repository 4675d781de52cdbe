import threading

from evoscope.store.disk import locked, locked_if_free


def test_one_at_a_time_and_waiting_is_told_once(tmp_path):
    path = tmp_path / "lock"
    inside, waits, most = [], [], []

    def work():
        with locked(path, lambda: waits.append(1)):
            inside.append(1)
            most.append(len(inside))
            pause.wait(0.3)
            inside.pop()

    pause = threading.Event()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1, 1, 1, 1]
    assert 1 <= len(waits) <= 3


def test_a_taken_lock_is_not_waited_for_and_freed_afterwards(tmp_path):
    path = tmp_path / "lock"
    with locked_if_free(path) as first:
        with locked_if_free(path) as second:
            assert (first, second) == (True, False)
        with locked_if_free(path) as third:
            assert not third
    with locked_if_free(path) as fourth:
        assert fourth


def test_an_error_inside_frees_the_lock(tmp_path):
    try:
        with locked(tmp_path / "lock", lambda: None):
            raise KeyError
    except KeyError:
        pass
    with locked_if_free(tmp_path / "lock") as free:
        assert free
