#!/usr/bin/python3
"""hostile.py - bad input gets an error or a closed connection; never a crash, a leak or a stall of
other clients.  Every test ends by producing and reading through an ordinary client."""
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send_ok
from lib.cluster import PATIENCE, SANITIZED, Cluster, expect, expect_eq, main, test, wait_for

MIB = 1 << 20


def connect(c, broker=1):
    host, port = c.brokers[broker]["address"].rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10 * PATIENCE)


def frame(payload):
    return struct.pack(">i", len(payload)) + payload


def header(key, version, correlation=1, client=b"hostile"):
    return struct.pack(">hhih", key, version, correlation, len(client)) + client


def closed_or_answered(s):
    """What a client sees in the end: b"" for a closed connection, else the first bytes."""
    try:
        return s.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        return b""


def rss_kib(c, node):
    with open(f"/proc/{c.nodes[node]['pid']}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def still_serves(c, topic="t"):
    send_ok(producer(c), topic, b"alive")
    for node in c.nodes.values():
        os.kill(node["pid"], 0)


def with_cluster(story):
    with Cluster(brokers=1) as c:
        c.create("t", rf=1)
        still_serves(c)
        story(c)
        still_serves(c)


@test
def garbage_bytes():
    def story(c):
        rng = random.Random(7)
        for i in range(200):
            with connect(c) as s:
                try:
                    s.sendall(rng.randbytes(rng.randrange(1, 4096)))
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
                closed_or_answered(s)
    with_cluster(story)


@test
def wrong_sizes():
    def story(c):
        for size in (-1, -2147483648, 2147483647, 1 << 30, 0, 1, 3, 7):
            with connect(c) as s:
                s.sendall(struct.pack(">i", size) + b"\x00" * 8)
                if size < 0 or size > 200 * MIB:
                    expect_eq(closed_or_answered(s), b"", f"answer to a frame of size {size}")
    with_cluster(story)


@test
def unknown_apis_and_versions():
    def story(c):
        for key, version in ((999, 0), (-1, 0), (0, 99), (0, -1), (1, 1), (3, 127), (32767, 32767)):
            with connect(c) as s:
                s.sendall(frame(header(key, version) + b"\x00" * 16))
                expect_eq(closed_or_answered(s), b"", f"answer to api {key} version {version}")
        with connect(c) as s:  # ApiVersions is the exception: it answers version 0 with error 35
            s.sendall(frame(header(18, 99)))
            answer = closed_or_answered(s)
            expect_eq(struct.unpack(">h", answer[8:10])[0], 35, "error of ApiVersions v99")
    with_cluster(story)


@test
def hostile_arrays():
    def story(c):
        before = rss_kib(c, 1)
        for count in (2147483647, -2, 1 << 24, 65536):
            for key, version, body in (
                    (3, 1, struct.pack(">i", count)),                                        # Metadata: topics
                    (0, 3, struct.pack(">hhi", -1, -1, 1000) + struct.pack(">i", count)),    # Produce: topics
                    (1, 4, struct.pack(">iiiibi", -1, 100, 1, MIB, 0, count)),               # Fetch: topics
                    (2, 1, struct.pack(">ii", -1, count))):                                  # ListOffsets
                with connect(c) as s:
                    s.sendall(frame(header(key, version) + body))
                    closed_or_answered(s)
        if not SANITIZED:
            expect(rss_kib(c, 1) - before < 64 * 1024, f"grew from {before} to {rss_kib(c, 1)} KiB")
    with_cluster(story)


@test
def cut_requests():
    """A valid Metadata request, cut at every byte and its size corrected: error or close."""
    def story(c):
        whole = header(3, 1) + struct.pack(">ih", 1, 1) + b"t"
        for n in range(len(whole)):
            with connect(c) as s:
                s.sendall(frame(whole[:n]))
                s.shutdown(socket.SHUT_WR)
                closed_or_answered(s)
    with_cluster(story)


@test
def slow_senders_and_half_closed_sockets_stall_nobody():
    def story(c):
        socks = [connect(c) for _ in range(100)]
        for s in socks[:50]:
            s.sendall(struct.pack(">i", 10 * MIB) + b"\x00" * 10)   # the rest never comes
        for s in socks[50:]:
            s.sendall(frame(header(18, 0)))
            s.shutdown(socket.SHUT_WR)
        p = producer(c)
        for i in range(20):
            send_ok(p, "t", b"meanwhile %d" % i)
        if not SANITIZED:
            expect(rss_kib(c, 1) < 256 * 1024, f"50 unfinished frames of 10 MiB cost {rss_kib(c, 1)} KiB")
        for s in socks:
            s.close()
    with_cluster(story)


@test
def a_reader_that_never_reads_stalls_nobody():
    def story(c):
        p = producer(c)
        for i in range(40):
            send_ok(p, "t", os.urandom(900000))
        with connect(c) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = struct.pack(">iiiib", -1, 100, 1, 50 * MIB, 0) + struct.pack(">ih", 1, 1) + b"t" + \
                struct.pack(">iiqi", 1, 0, 0, 50 * MIB)
            try:
                s.settimeout(1)
                for i in range(2000):
                    s.sendall(frame(header(1, 4, i) + body))
            except (TimeoutError, socket.timeout, ConnectionResetError, BrokenPipeError):
                pass        # back-pressure, as it should be
            for i in range(10):
                send_ok(p, "t", b"meanwhile %d" % i)
            if not SANITIZED:
                expect(rss_kib(c, 1) < 400 * 1024, f"a reader that never reads costs {rss_kib(c, 1)} KiB")
    with_cluster(story)


@test
def corrupt_batches_are_refused():
    """Produce v3 by hand: a bad CRC is CORRUPT_MESSAGE (2), a wrong magic INVALID_RECORD (87)."""
    def produce(c, batch):
        body = struct.pack(">hhi", -1, -1, 5000) + struct.pack(">ih", 1, 1) + b"t" + \
            struct.pack(">iii", 1, 0, len(batch)) + batch
        with connect(c) as s:
            s.sendall(frame(header(0, 3) + body))
            answer = closed_or_answered(s)
            expect(len(answer) > 25, f"no answer to a bad batch, {len(answer)} bytes")
            # size, correlation, 1 topic, "t", 1 partition, index, error
            return struct.unpack(">h", answer[4 + 4 + 4 + 3 + 4 + 4:][:2])[0]

    def batch(magic=2, crc=0, records=b"\x0c\x00\x00\x00\x01\x00\x00", count=1):
        rest = struct.pack(">hiqqqhii", 0, count - 1, 0, 0, -1, -1, -1, count) + records
        return struct.pack(">qiibI", 0, 4 + 1 + 4 + len(rest), 0, magic, crc) + rest

    def story(c):
        expect_eq(produce(c, batch()), 2, "error of a wrong CRC")
        expect_eq(produce(c, batch(magic=1)), 87, "error of magic 1")
        expect(produce(c, batch()[:40]) in (2, 87), "a batch cut short was taken")
        expect(produce(c, b"") in (87, 2, 42), "an empty record set was taken")
    with_cluster(story)


@test
def many_connections_come_and_go_without_a_leak():
    def story(c):
        def fds():
            return len(os.listdir(f"/proc/{c.nodes[1]['pid']}/fd"))
        for _ in range(50):
            connect(c).close()
        time.sleep(0.2)
        before = fds()

        def churn():
            for _ in range(200):
                with connect(c) as s:
                    s.sendall(frame(header(18, 0)))
                    closed_or_answered(s)
        workers = [threading.Thread(target=churn) for _ in range(4)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        wait_for(lambda: fds() <= before + 4, 5, f"{fds()} file descriptors to go back to {before}")
    with_cluster(story)


@test
def connections_are_limited_in_all_and_per_address():
    def is_served(s):
        s.sendall(frame(header(18, 0)))
        return closed_or_answered(s) != b""

    for conf, most in (({"max.connections": 12}, 12), ({"max.connections.per.ip": 8}, 8)):
        with Cluster(brokers=1, conf=conf) as c:
            crowd, served = [], 0
            for _ in range(20):
                crowd.append(connect(c))
                try:
                    served += is_served(crowd[-1])
                except OSError:
                    pass
            expect(most - 4 <= served <= most, f"{conf}: {served} of 20 were served")
            expect(next(iter(conf)) in c.log_text(1), "the log does not name the limit")
            for s in crowd:
                s.close()
            c.create("t", rf=1)
            still_serves(c)


def limit_files(c, n):
    pid = c.nodes[1]["pid"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


def n_files(c):
    return len(os.listdir(f"/proc/{c.nodes[1]['pid']}/fd"))


def all_dirs_are_online(c):
    expect("offline until restart" not in c.log_text(1), "a log directory went offline")


@test
def a_crowd_of_idle_clients_leaves_room_for_files():
    def story(c):
        c.weir("configs", "set", "topics/t", "segment.bytes=1048576")
        limit_files(c, 100)
        crowd = [connect(c) for _ in range(40)]
        p = producer(c)
        send_ok(p, "t", b"first")
        crowd += [connect(c) for _ in range(200)]
        for _ in range(60):
            send_ok(p, "t", os.urandom(100000))
        expect(len([f for f in os.listdir(c.log_dir(1, "t")) if f.endswith(".log")]) > 3, "no segment was rolled")
        expect(n_files(c) < 100 - 4, f"the crowd took {n_files(c)} of 100 descriptors")
        expect("raise LimitNOFILE" in c.log_text(1), "the log does not say what to do")
        for s in crowd:
            s.close()
        all_dirs_are_online(c)
    with_cluster(story)


@test
def without_descriptors_produces_wait_and_nothing_goes_offline():
    def story(c):
        c.weir("configs", "set", "topics/t", "segment.bytes=1048576")
        p = producer(c)
        send_ok(p, "t", b"first")
        limit_files(c, n_files(c))
        sent = []

        def send_all():
            for _ in range(30):
                send_ok(p, "t", os.urandom(100000))
                sent.append(1)
        sender = threading.Thread(target=send_all)
        sender.start()
        wait_for(lambda: "Too many open files" in c.log_text(1), 20, "the broker to run out of descriptors")
        time.sleep(0.5)
        expect(len(sent) < 30, "the segment rolled without a descriptor")
        limit_files(c, 1000)
        sender.join()
        expect_eq(len(sent), 30, "records acknowledged")
        all_dirs_are_online(c)
    with_cluster(story)


@test
def bad_configuration_gets_one_clear_sentence():
    import subprocess
    import tempfile
    from lib.cluster import BUILD
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "server.properties")
        good = f"node.id=1\nlisteners=PLAINTEXT://127.0.0.1:1\ncontroller.quorum.bootstrap.servers=127.0.0.1:2\nlog.dirs={d}/data\n"
        for text, word in ((good + "num.partitions=many\n", "num.partitions"),
                           (good + "min.insync.replicas=0\n", "min.insync.replicas"),
                           (good.replace("PLAINTEXT://127.0.0.1:1", "127.0.0.1"), "listeners"),
                           (good.replace("node.id=1\n", ""), "node.id")):
            with open(path, "w") as f:
                f.write(text)
            run = subprocess.run([os.path.join(BUILD, "weir-broker"), path, "--check-config"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
            expect(run.returncode != 0, f"accepted: {word}")
            expect(word in run.stdout, f"the sentence does not name {word}: {run.stdout!r}")
            expect("Sanitizer" not in run.stdout, run.stdout)
        run = subprocess.run([os.path.join(BUILD, "weir-broker"), os.path.join(d, "none.properties")],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        expect(run.returncode != 0 and "none.properties" in run.stdout, f"missing file: {run.stdout!r}")


if __name__ == "__main__":
    main()
