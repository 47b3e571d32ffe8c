#!/usr/bin/python3
"""logdirs.py - replicas move between the log directories of a broker (KIP-113)."""
import glob
import os
import resource
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send_ok, values
from lib.cluster import Cluster, expect, expect_eq, main, test, wait_for
from lib.history import Load, equal_replicas
from lib.wire import Reader, array, ask, compact, set_config

STORAGE_ERROR, DIR_NOT_FOUND, NOT_AVAILABLE = 56, 57, 9
BROKER = 4


def two_dirs(c):
    """Gives every broker a second directory; {broker: (first, second)}."""
    out = {}
    for n, node in c.brokers.items():
        first, second = os.path.join(node["dir"], "data"), os.path.join(node["dir"], "more")
        conf = glob.glob(os.path.join(node["dir"], "*.properties"))[0]
        with open(conf) as f:
            text = f.read()
        with open(conf, "w") as f:
            f.write(text.replace(f"log.dirs={first}", f"log.dirs={first},{second}"))
        c.restart(n)
        out[n] = first, second
    return out


def move(c, broker, path, topic, partitions):
    """{partition: error} of the answer."""
    topics = array([compact(topic.encode()) + array([struct.pack(">i", n) for n in partitions]) + b"\0"])
    r = Reader(ask(c, 34, 2, array([compact(path.encode()) + topics + b"\0"]) + b"\0", broker))
    r.take("i")
    rows = r.array(lambda: (r.text(), r.skip(r.array(lambda: r.skip(r.take("ih"))))))
    return dict(rows[0][1])


def where(c, broker):
    """{(topic, partition, is it future): directory}"""
    r = Reader(ask(c, 35, 4, array(None) + b"\0", broker))
    expect_eq(r.take("ih")[1], 0, "error")
    out = {}

    def one_dir():
        error, path = r.take("h"), r.text().decode()
        expect_eq(error, 0, f"error of {path}")
        for topic, parts in r.array(lambda: (r.text().decode(), r.skip(r.array(lambda: r.skip(r.take("iqqB")))))):
            for n, _, _, is_future in parts:
                out[topic, n, bool(is_future)] = path
        total, usable = r.take("qq")
        expect(0 < usable <= total, f"{usable} of {total} bytes")
        r.skip()
    r.array(one_dir)
    return out


def hosted(c, broker, path, topic, n):
    return os.path.isdir(os.path.join(path, f"{topic}-{n}"))


@test
def a_replica_moves_while_it_is_written_and_read():
    with Cluster() as c:
        dirs = two_dirs(c)
        c.create("t", partitions=4, min_insync_replicas=2, segment_bytes=1048576)
        with Load(c, "t", 4, rate=4000) as load:
            load.progress(8000)
            for b in c.brokers:
                now = where(c, b)
                for n in range(4):
                    there = now["t", n, False]
                    expect_eq(move(c, b, dirs[b][there == dirs[b][0]], "t", [n]), {n: 0}, "errors")
                wait_for(lambda: len(where(c, b)) == 4 and all(where(c, b)["t", n, False] != now["t", n, False]
                                                              for n in range(4)), 60, "four moves")
            load.progress(4000)
        load.check()
        for b in c.brokers:
            now = where(c, b)
            for n in range(4):
                here = now["t", n, False]
                expect(hosted(c, b, here, "t", n), f"{here} lacks t-{n}")
                expect(not hosted(c, b, dirs[b][here == dirs[b][0]], "t", n), f"t-{n} lies twice on {b}")
            c.restart(b)
        send_ok(producer(c), "t", b"0.999999.")
        for n in range(4):
            c.wait_isr("t", [1, 2, 3], n)
            equal_replicas(c, "t", n)


@test
def a_slow_move_survives_a_kill_and_can_be_cancelled():
    with Cluster() as c:
        dirs = two_dirs(c)
        c.create("t", [[1, 2, 3]])
        p = producer(c, linger_ms=5)
        for _ in range(200):
            p.produce("t", value=os.urandom(50000), partition=0)
        expect_eq(p.flush(60), 0, "records not written")
        set_config(c, BROKER, "1", replica_alter_log_dirs_io_max_bytes_per_second=200000)
        there = where(c, 1)["t", 0, False]
        other = dirs[1][there == dirs[1][0]]
        expect_eq(move(c, 1, other, "t", [0]), {0: 0}, "errors")
        wait_for(lambda: where(c, 1).get(("t", 0, True)) == other, 10, "a future replica")
        time.sleep(1)
        c.kill(1)
        c.restart(1)
        wait_for(lambda: where(c, 1).get(("t", 0, True)) == other, 10, "a future replica after the start")
        expect_eq(move(c, 1, there, "t", [0]), {0: 0}, "errors")
        wait_for(lambda: where(c, 1) == {("t", 0, False): there}, 10, "the end of the move")
        set_config(c, BROKER, "1", replica_alter_log_dirs_io_max_bytes_per_second=2000000)
        expect_eq(move(c, 1, other, "t", [0]), {0: 0}, "errors")
        start = time.monotonic()
        wait_for(lambda: where(c, 1) == {("t", 0, False): other}, 30, "the move")
        took = time.monotonic() - start
        set_config(c, BROKER, "1", replica_alter_log_dirs_io_max_bytes_per_second=None)
        start = time.monotonic()
        expect_eq(move(c, 1, there, "t", [0]), {0: 0}, "errors")
        wait_for(lambda: where(c, 1) == {("t", 0, False): there}, 30, "the move back")
        free = time.monotonic() - start     # what this machine needs without a throttle
        expect(10 / 2 / 1.2 <= took <= 10 / 2 * 1.2 + 3 * free, f"{took:.1f} s for 10 MB at 2 MB/s, and {free:.1f} s")
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")
        expect_eq(len(values(c, "t")), 200, "records")


@test
def a_move_waits_for_file_descriptors():
    def limit(n):
        pid = c.nodes[1]["pid"]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))

    with Cluster() as c:
        dirs = two_dirs(c)
        c.create("t", [[1, 2, 3]], segment_bytes=1048576)
        p = producer(c, linger_ms=5)
        for _ in range(100):
            p.produce("t", value=os.urandom(50000), partition=0)
        expect_eq(p.flush(60), 0, "records not written")
        set_config(c, BROKER, "1", replica_alter_log_dirs_io_max_bytes_per_second=1000000)
        there = where(c, 1)["t", 0, False]
        other = dirs[1][there == dirs[1][0]]
        expect_eq(move(c, 1, other, "t", [0]), {0: 0}, "errors")
        wait_for(lambda: where(c, 1).get(("t", 0, True)) == other, 10, "a future replica")
        limit(len(os.listdir(f"/proc/{c.nodes[1]['pid']}/fd")))
        wait_for(lambda: "waits for a free file descriptor" in c.log_text(1), 20, "the move to be put off")
        limit(1000)
        wait_for(lambda: where(c, 1) == {("t", 0, False): other}, 30, "the move")
        expect("offline" not in c.log_text(1), "something went offline")
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")
        expect_eq(len(values(c, "t")), 100, "records")


@test
def what_cannot_be_moved_is_refused():
    with Cluster() as c:
        dirs = two_dirs(c)
        c.create("t", [[1, 2]], min_insync_replicas=1)
        expect_eq(move(c, 1, "/nowhere", "t", [0]), {0: DIR_NOT_FOUND}, "errors")
        expect_eq(move(c, 3, dirs[3][1], "t", [0]), {0: NOT_AVAILABLE}, "errors")
        expect_eq(move(c, 1, dirs[1][1], "t", [7]), {7: 3}, "errors")


@test
def files_are_found_in_every_directory():
    with Cluster() as c:
        dirs = two_dirs(c)
        c.create("t", partitions=4)
        expect_eq(set(where(c, 1).values()), set(dirs[1]), "directories of broker 1 that hold replicas")
        verdicts = {i["verdict"] for i in c.json("partitions", "verify", "t", "--dir", c.dir)["items"]}
        expect_eq(verdicts, {"equal"}, "verdicts")
        for n in range(4):
            c.weir("log", "segments", f"t-{n}", "--broker", "1", "--dir", c.dir)


if __name__ == "__main__":
    main()
