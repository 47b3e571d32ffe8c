#!/usr/bin/python3
"""churn.py - topics and configs change under load, and there are many of them."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from confluent_kafka import Consumer, KafkaException, TopicPartition
from lib.clients import producer, read_all, send, send_ok, values
from lib.cluster import SANITIZED, Cluster, expect, expect_eq, main, test, wait_for
from lib.history import BASE, Load, equal_replicas

QUIET = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 500}


@test
def a_topic_is_deleted_and_made_again_under_live_clients():
    with Cluster() as c:
        stop = threading.Event()
        unexpected = []

        def write():
            p = producer(c, message_timeout_ms=5000, **QUIET)
            while not stop.is_set():
                try:
                    p.produce("t", value=b"x" * 100, partition=0)
                except (BufferError, KafkaException):
                    time.sleep(0.01)
                p.poll(0.002)
            p.purge()

        def read():
            r = Consumer({"bootstrap.servers": c.bootstrap, "group.id": "none", "auto.offset.reset": "earliest",
                          "enable.auto.commit": False, **BASE})
            r.assign([TopicPartition("t", 0, 0)])
            while not stop.is_set():
                m = r.poll(0.05)
                if m and not m.error() and m.value() != b"x" * 100 and not m.value().startswith(b"life"):
                    unexpected.append(m.value())
            r.close()
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        threads = [threading.Thread(target=f, daemon=True) for f in (write, read)]
        for t in threads:
            t.start()
        for life in range(8):
            send_ok(producer(c), "t", b"life %d" % life)
            c.weir("topics", "delete", "t", "--yes")
            c.create("t", [[1, 2, 3]] if life % 2 else [[2, 3, 1]], min_insync_replicas=2)
        stop.set()
        for t in threads:
            t.join(30)
        expect_eq(unexpected, [], "values nobody wrote")
        send_ok(producer(c), "t", b"last")
        got = values(c, "t")
        expect(not [v for v in got if v.startswith(b"life")], "records of an earlier life")
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")


@test
def partitions_are_added_and_configs_changed_under_load():
    with Cluster() as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            for n in (4, 7, 12):
                load.progress(200)
                c.weir("topics", "alter", "t", "--partitions", str(n))
                c.weir("configs", "set", "topics/t", f"min.insync.replicas={n % 3 + 1}")
                send_ok(producer(c), "t", b"new", partition=n - 1)
                load.progress(200)
                c.weir("configs", "set", "topics/t", "min.insync.replicas=2", "segment.bytes=1048576")
            c.kill(3)
            load.progress(200)
            c.weir("configs", "set", "topics/t", "min.insync.replicas=3")
            out = send(producer(c, retries=0, message_timeout_ms=20000, enable_idempotence=False), "t", b"too few", 5)
            expect(out.error and "NOT_ENOUGH" in out.error.name(), f"min.insync.replicas=3 with two: {out.error}")
            c.weir("configs", "set", "topics/t", "min.insync.replicas=2")
            load.progress(200)
            c.restart(3)
        load.check(may_fail=True)


@test
def many_topics():
    topics, partitions = (60 if SANITIZED else 500), 3
    with Cluster() as c:
        def node(n, what):
            pid = c.nodes[n]["pid"]
            if what == "fds":
                return len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/status") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
        base = {n: node(n, "rss") for n in c.brokers}
        start = time.monotonic()
        for i in range(0, topics, 50):
            c.weir("topics", "create", *[f"t{k}" for k in range(i, min(i + 50, topics))], "-p", str(partitions),
                   timeout=60)
        made = time.monotonic() - start
        grown = max(node(n, "rss") - base[n] for n in c.brokers)
        per = grown * 1024 / (topics * partitions)
        fds = max(node(n, "fds") for n in c.brokers)
        p = producer(c)
        for k in range(0, topics, 10):
            p.produce(f"t{k}", value=b"x", partition=k % partitions)
        expect_eq(p.flush(60), 0, "records without an answer")
        start = time.monotonic()
        c.kill(1)
        c.restart(1)
        again = time.monotonic() - start
        start = time.monotonic()
        boss = next(i for i, n in c.nodes.items() if n["role"] == "controller")
        c.kill(boss)
        c.restart(boss)
        boss_again = time.monotonic() - start
        wait_for(lambda: all(len(i["isr"]) == 3 for i in c.json("partitions", "list")["items"]), 60, "every ISR whole")
        print(f"    {topics * partitions} partitions: made in {made:.1f} s, {per:.0f} bytes and "
              f"{fds / topics / partitions:.2f} descriptors each, killed and back in {again:.1f} s, "
              f"the controller in {boss_again:.1f} s")
        if not SANITIZED:
            expect(per < 16384, f"a partition costs {per:.0f} bytes")
        start = time.monotonic()
        for i in range(0, topics, 100):
            c.weir("topics", "delete", *[f"t{k}" for k in range(i, min(i + 100, topics))], "--yes", timeout=60)
        expect_eq(c.json("topics", "list")["items"], [], "topics that are left")
        print(f"    deleted in {time.monotonic() - start:.1f} s")


@test
def large_records_and_large_fetches():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2, max_message_bytes=11 << 20)
        p = producer(c, message_max_bytes=11 << 20)
        want = [os.urandom(10 << 20) for _ in range(3)] + [b"", b"small"]
        for v in want:
            send_ok(p, "t", v)
        expect(values(c, "t") == want, "the large records came back otherwise")
        r = Consumer({"bootstrap.servers": c.bootstrap, "group.id": "none", "enable.auto.commit": False,
                      "fetch.max.bytes": 90 << 20,
                      "max.partition.fetch.bytes": 90 << 20, "receive.message.max.bytes": 100 << 20,
                      "fetch.message.max.bytes": 90 << 20})
        r.assign([TopicPartition("t", 0, 0)])
        got = []
        wait_for(lambda: (got.extend(m.value() for m in r.consume(10, 0.5) if not m.error()), len(got) == 5)[1], 20,
                 "five records")
        r.close()
        expect(got == want, "the large records came back otherwise")
        equal_replicas(c, "t")


@test
def codecs_of_topic_and_producer_differ():
    with Cluster() as c:
        for topic_codec in ("zstd", "gzip", "uncompressed", "producer", "snappy", "lz4"):
            t = f"t-{topic_codec}"
            c.create(t, [[1, 2, 3]], min_insync_replicas=2, compression_type=topic_codec)
            want = []
            for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
                p = producer(c, compression_type=codec, linger_ms=20, enable_idempotence=True)
                for i in range(50):
                    v = b"%s %d " % (codec.encode(), i) + b"abc" * i
                    p.produce(t, value=v, partition=0, key=b"k" * (i % 3))
                    want.append(v)
                expect_eq(p.flush(20), 0, "unanswered")
            expect_eq(values(c, t), want, f"records of {t}")
            equal_replicas(c, t)


@test
def two_hundred_producers_and_a_moving_leader():
    n = 60 if SANITIZED else 200
    with Cluster() as c:
        c.create("t", [[1, 2, 3], [2, 3, 1], [3, 1, 2]], min_insync_replicas=2)
        ps = [producer(c, enable_idempotence=True, **QUIET) for _ in range(n)]
        errors, acked = [], []

        def done(err, msg):
            (errors if err else acked).append(str(err) if err else msg.value())
        for rnd in range(4):
            for i, p in enumerate(ps):
                p.produce("t", value=b"%d.%d" % (i, rnd), partition=(i + rnd) % 3, on_delivery=done)
            victim = rnd % 3 + 1
            if rnd < 3:
                c.kill(victim)
                c.restart(victim)
        for p in ps:
            p.flush(60)
        expect_eq(errors[:3], [], "errors")
        got = [v for k in range(3) for v in values(c, "t", k)]
        expect_eq(sorted(got), sorted(b"%d.%d" % (i, r) for i in range(n) for r in range(4)), "records")
        for k in range(3):
            c.wait_isr("t", [1, 2, 3], k)
            equal_replicas(c, "t", k)


@test
def acks_0_and_topics_made_on_demand():
    with Cluster(conf={"auto.create.topics.enable": "true"}) as c:
        p = producer(c, acks=0)
        for i in range(300):
            p.produce("made", value=b"%d" % i, partition=0)
        p.flush(20)
        wait_for(lambda: len(values(c, "made")) == 300, 15, "records sent with acks=0")
        send_ok(producer(c), "made.too", b"x")


if __name__ == "__main__":
    main()
