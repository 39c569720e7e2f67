import os
import threading

from flux.runtime.descriptor import write_all


def test_all_is_written_also_to_a_descriptor_that_does_not_block() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    data = os.urandom(1 << 20)
    got: list[bytes] = []

    def reader() -> None:
        got.extend(iter(lambda: os.read(read, 1 << 16), b""))

    thread = threading.Thread(target=reader)
    thread.start()
    write_all(write, data)
    os.close(write)
    thread.join()
    os.close(read)
    assert b"".join(got) == data
