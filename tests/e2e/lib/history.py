"""history.py - a live load and the judgement of what it saw, in the manner of Jepsen's Kafka workload.

An idempotent acks=all producer writes values that are unique and numbered per partition; readers follow
the partitions all the while.  Afterwards every acknowledged record must lie at the offset that was
acknowledged, exactly once, in order; no reader may have seen an offset twice, skipped one or seen
another value there than the others; and the replicas' logs must be the same bytes.
"""
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from lib.clients import read_all
from lib.cluster import PATIENCE, Failed, expect, expect_eq, wait_for

BASE = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 500, "log_level": 2}


class Load:
    """Use as a context; leaving it stops the threads, `check` judges afterwards."""

    def __init__(self, cluster, topic, partitions=1, rate=2000, read=True, **conf):
        self.c, self.topic, self.partitions, self.rate, self.read = cluster, topic, partitions, rate, read
        self.conf = {"bootstrap.servers": cluster.bootstrap, "acks": "all", "enable.idempotence": True,
                     "linger.ms": 1, "message.timeout.ms": int(120000 * PATIENCE), **BASE,
                     **{k.replace("_", "."): v for k, v in conf.items()}}
        self.acked = [{} for _ in range(partitions)]    # offset -> value
        self.implied = [[] for _ in range(partitions)]
        self.failed, self.odd, self.seen = [], [], [{} for _ in range(partitions)]
        self.sent = self.n_acked = 0
        self.longest_gap, self.last_ack = 0.0, time.monotonic()
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.fatal = None

    def __enter__(self):
        self.threads = [threading.Thread(target=self.write, daemon=True)]
        if self.read:
            self.threads.append(threading.Thread(target=self.follow, daemon=True))
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join(200 * PATIENCE)
            expect(not t.is_alive(), "a client does not come to an end")

    # ---- writing ----------------------------------------------------------------------------

    def on_delivery(self, err, msg):
        if err:
            self.failed.append((msg.partition(), msg.value(), str(err)))
            return
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self.last_ack)
        self.last_ack = now
        self.n_acked += 1
        if msg.offset() is None:
            # librdkafka knows from a later acknowledgement that it was stored, but not where.
            self.implied[msg.partition()].append(msg.value())
            return
        before = self.acked[msg.partition()].setdefault(msg.offset(), msg.value())
        if before != msg.value():
            self.odd.append(f"offset {msg.offset()} was acknowledged to {before!r} and {msg.value()!r}")

    def write(self):
        def on_error(e):
            if e.fatal():
                self.fatal = str(e)
        p = Producer({**self.conf, "error_cb": on_error})
        start, numbers = time.monotonic(), [0] * self.partitions
        while not self.stop.is_set() and not self.fatal:
            due = (time.monotonic() - start) * self.rate
            while self.sent < due and len(p) < 20000 and not self.stop.is_set():
                n = self.sent % self.partitions
                p.produce(self.topic, value=b"%d.%d.%s" % (n, numbers[n], b"x" * (self.sent % 1500)),
                          partition=n, on_delivery=self.on_delivery)
                numbers[n] += 1
                self.sent += 1
            p.poll(0.005)
        p.flush(100 * PATIENCE)
        self.left = len(p)

    # ---- reading ----------------------------------------------------------------------------

    def follow(self):
        c = Consumer({"bootstrap.servers": self.c.bootstrap, "group.id": "none", "enable.auto.commit": False,
                      "auto.offset.reset": "error", **BASE})
        c.assign([TopicPartition(self.topic, n, 0) for n in range(self.partitions)])
        at = [0] * self.partitions
        while not self.stop.is_set():
            for m in c.consume(500, 0.1):
                n = m.partition()
                if m.error():
                    if "fset" in str(m.error()):
                        self.odd.append(f"a reader of {n} at {at[n]}: {m.error()}")
                    continue
                if m.offset() != at[n]:
                    self.odd.append(f"a reader of {n} expected offset {at[n]} and got {m.offset()}")
                at[n] = m.offset() + 1
                self.seen[n][m.offset()] = m.value()
        c.close()

    # ---- judging ----------------------------------------------------------------------------

    def progress(self, records=1, seconds=60):
        """So many more records are acknowledged."""
        want = self.n_acked + records
        wait_for(lambda: self.n_acked >= want or self.fatal, seconds, f"{records} more records acknowledged")

    def check(self, replicas=(1, 2, 3), may_fail=False):
        expect_eq(self.fatal, None, "fatal error of the producer")
        expect_eq(self.left, 0, "records without an answer")
        if not may_fail:
            expect_eq(self.failed[:3], [], f"records refused ({len(self.failed)})")
        expect_eq(self.odd[:3], [], f"what readers and writers saw ({len(self.odd)})")
        expect(self.n_acked > 0, "nothing was acknowledged")
        for n in range(self.partitions):
            self.c.wait_isr(self.topic, replicas, n, seconds=60)
            self.check_partition(n)
            equal_replicas(self.c, self.topic, n, replicas)

    def check_partition(self, n):
        final = {m.offset(): m.value() for m in read_all(self.c, self.topic, n, seconds=60)}
        for offset, value in self.acked[n].items():
            expect_eq(final.get(offset), value, f"partition {n}: the record acknowledged at {offset}")
        stored = set(final.values())
        for value in self.implied[n]:
            expect(value in stored, f"partition {n}: {value[:20]!r} was acknowledged and is not there")
        for offset, value in self.seen[n].items():
            expect_eq(final.get(offset), value, f"partition {n}: the record read at {offset}")
        expect_eq(sorted(final), list(range(len(final))), f"partition {n}: the offsets")
        numbers = [int(final[o].split(b".")[1]) for o in sorted(final)]
        for a, b in zip(numbers, numbers[1:]):
            expect(b == a + 1, f"partition {n}: record {b} follows {a}: lost, duplicated or out of order")


def equal_replicas(c, topic, n=0, replicas=(1, 2, 3), seconds=20):
    """The logs are the same bytes, wherever their segments were rolled."""
    def same():
        try:
            return len({c.log_bytes(b, topic, n) for b in replicas}) == 1
        except (FileNotFoundError, Failed):
            return False
    wait_for(same, seconds, f"byte-equal logs of {topic}-{n} on {replicas}")
