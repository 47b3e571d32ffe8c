#!/usr/bin/python3
"""clients.py - clients that others wrote work unmodified: kcat, librdkafka and kafka-python."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, read_all, send_ok, values
from lib.cluster import BUILD, PATIENCE, Cluster, expect, expect_eq, main, test

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def kcat(c, *args, stdin=None):
    run = subprocess.run(["kcat", "-b", c.bootstrap, *args], input=stdin, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=60 * PATIENCE)
    expect_eq(run.returncode, 0, f"kcat {' '.join(args)}: {run.stderr.decode(errors='replace')}")
    return run.stdout


@test
def kcat_lists_produces_and_consumes_with_every_codec():
    with Cluster() as c:
        c.create("t", partitions=3)
        listed = json.loads(kcat(c, "-L", "-J"))
        expect_eq(len(listed["brokers"]), 3, "brokers")
        expect_eq([len(t["partitions"]) for t in listed["topics"] if t["topic"] == "t"], [3], "partitions")
        want = []
        for p, codec in enumerate(CODECS):
            lines = [f"{codec} {i} {'x' * (i % 90)}" for i in range(2000)]
            kcat(c, "-P", "-t", "t", "-p", str(p % 3), "-z", codec, "-X", "acks=all", stdin="\n".join(lines).encode())
            want += lines
        got = kcat(c, "-C", "-t", "t", "-o", "beginning", "-e", "-q").decode().splitlines()
        expect(sorted(got) == sorted(want), f"{len(got)} lines came back, {len(want)} went in, and they differ")
        tail = kcat(c, "-C", "-t", "t", "-p", "1", "-o", "-1", "-e", "-q").decode().splitlines()
        expect_eq(tail, [want[-1]], "the last line of partition 1")


@test
def librdkafka_headers_keys_timestamps_and_sizes():
    with Cluster() as c:
        c.create("t", max_message_bytes=2097152)
        p = producer(c, message_max_bytes=2000000)
        send_ok(p, "t", b"v", key=b"k", headers=[("a", b"1"), ("a", b""), ("n", None)], timestamp=1700000000123)
        send_ok(p, "t", b"")
        send_ok(p, "t", None, key=b"tombstone")
        send_ok(p, "t", os.urandom(1 << 20))
        got = read_all(c, "t")
        expect_eq(len(got), 4, "records")
        expect_eq((got[0].key(), got[0].value()), (b"k", b"v"), "key and value")
        expect_eq(got[0].headers(), [("a", b"1"), ("a", b""), ("n", None)], "headers")
        expect_eq(got[0].timestamp(), (1, 1700000000123), "timestamp")
        expect(not got[1].value(), "an empty value")
        expect(got[2].value() is None and got[2].key() == b"tombstone", "a null value")
        expect_eq(len(got[3].value()), 1 << 20, "a record of 1 MiB")


@test
def librdkafka_finds_offsets_by_time():
    from confluent_kafka import Consumer, TopicPartition
    with Cluster(brokers=1) as c:
        c.create("t", rf=1)
        p = producer(c)
        for i in range(100):
            send_ok(p, "t", b"x", timestamp=1700000000000 + i * 1000)
        consumer = Consumer({"bootstrap.servers": c.bootstrap, "group.id": "none"})
        for ms, want in ((1700000000000, 0), (1700000049500, 50), (1699999999999, 0)):
            found = consumer.offsets_for_times([TopicPartition("t", 0, ms)], timeout=20 * PATIENCE)
            expect_eq(found[0].offset, want, f"offset at {ms}")
        consumer.close()


@test
def log_append_time():
    with Cluster(brokers=1) as c:
        c.create("t", rf=1, message_timestamp_type="LogAppendTime")
        send_ok(producer(c), "t", b"x", timestamp=1000)
        kind, ms = read_all(c, "t")[0].timestamp()
        expect_eq(kind, 2, "timestamp type")
        expect(ms > 1700000000000, f"timestamp {ms}")


@test
def too_large_a_message_is_refused_and_named():
    with Cluster(brokers=1) as c:
        c.create("t", rf=1, max_message_bytes=10000)
        out = []
        p = producer(c)
        p.produce("t", value=b"x" * 20000, on_delivery=lambda e, m: out.append(e))
        p.flush(20)
        expect(out and out[0] is not None and out[0].name() == "MSG_SIZE_TOO_LARGE", f"{out}")
        send_ok(p, "t", b"x" * 5000)


@test
def kafka_python_produces_and_consumes():
    try:
        from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    except ImportError as why:
        print(f"SKIP kafka-python is not usable here: {why}")
        return
    with Cluster() as c:
        c.create("t", partitions=2)
        p = KafkaProducer(bootstrap_servers=c.bootstrap.split(","), acks="all")
        for i in range(500):
            p.send("t", b"%d" % i, partition=i % 2)
        p.flush()
        reader = KafkaConsumer(bootstrap_servers=c.bootstrap.split(","), auto_offset_reset="earliest",
                               consumer_timeout_ms=int(20000 * PATIENCE), enable_auto_commit=False)
        reader.assign([TopicPartition("t", 0), TopicPartition("t", 1)])
        reader.seek_to_beginning()
        got = []
        for m in reader:
            got.append(int(m.value))
            if len(got) == 500:
                break
        expect_eq(sorted(got), list(range(500)), "records")
        reader.close()
        p.close()


@test
def rdkafka_bench_produces_and_reads_back():
    bench = os.path.join(BUILD, "tests/perf/rdkafka_bench")
    with Cluster() as c:
        c.create("t", partitions=6)
        for mode in (["produce"], ["produce", "-X", "enable.idempotence=true"], ["consume"]):
            n = "40000" if mode == ["consume"] else "20000"
            run = subprocess.run([bench, mode[0], "-b", c.bootstrap, "-t", "t", "-n", n, "-s", "1024", *mode[1:]],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * PATIENCE)
            expect_eq(run.returncode, 0, f"{mode}: {run.stdout}")


@test
def a_topic_just_created_is_known_by_every_broker():
    """CreateTopics is answered when every broker has applied it: no UNKNOWN_TOPIC_OR_PARTITION."""
    from confluent_kafka import Producer
    with Cluster() as c:
        for i in range(20):
            c.create(f"t{i}", partitions=2)
            for b in c.brokers.values():
                p = Producer({"bootstrap.servers": b["address"]})
                topics = p.list_topics(f"t{i}", timeout=20 * PATIENCE).topics
                expect(topics[f"t{i}"].error is None and len(topics[f"t{i}"].partitions) == 2,
                       f"t{i} at {b['address']}: {topics[f't{i}'].error}")


@test
def replicas_are_byte_equal_after_many_small_batches():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]])
        p = producer(c, linger_ms=1)
        for i in range(5000):
            p.produce("t", value=b"record %d" % i, partition=0)
            p.poll(0)
        p.flush(30)
        expect_eq(values(c, "t"), [b"record %d" % i for i in range(5000)], "records")
        logs = {c.log_bytes(n, "t") for n in (1, 2, 3)}
        expect_eq(len(logs), 1, "different logs")


if __name__ == "__main__":
    main()
