"""clients.py - thin helpers over confluent-kafka (librdkafka): produce, read back, count."""
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from lib.cluster import PATIENCE, Failed


def producer(cluster, **conf):
    base = {"bootstrap.servers": cluster.bootstrap, "acks": "all", "linger.ms": 0,
            "message.timeout.ms": int(30000 * PATIENCE), "socket.timeout.ms": 10000}
    base.update({k.replace("_", "."): v for k, v in conf.items()})
    return Producer(base)


class Outcome:
    """What became of one record: error is None when it was acknowledged."""

    def __init__(self):
        self.done, self.error, self.offset = False, None, None

    def __call__(self, err, msg):
        self.done, self.error = True, err
        self.offset = None if err else msg.offset()


def send(p, topic, value, partition=0, seconds=30, **kw):
    """One record, waited for."""
    out = Outcome()
    p.produce(topic, value=value, partition=partition, on_delivery=out, **kw)
    end = time.monotonic() + seconds * PATIENCE
    while not out.done and time.monotonic() < end:
        p.poll(0.05)
    return out


def send_ok(p, topic, value, partition=0, **kw):
    out = send(p, topic, value, partition, **kw)
    if not out.done or out.error:
        raise Failed(f"{value!r} was not acknowledged: {out.error or 'no answer'}")
    return out.offset


def read_all(cluster, topic, partition=0, seconds=20):
    """Every record up to the high watermark, as confluent_kafka.Message."""
    c = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "none", "enable.auto.commit": False,
                  "auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        end = time.monotonic() + seconds * PATIENCE
        while True:
            try:
                low, high = c.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
                break
            except KafkaException as why:
                if time.monotonic() > end:
                    raise Failed(f"watermarks of {topic}-{partition}: {why}") from why
        c.assign([TopicPartition(topic, partition, low)])
        got, at = [], low
        while at < high:
            m = c.poll(0.2)
            if time.monotonic() > end:
                raise Failed(f"{topic}-{partition}: read to {at}, high watermark {high}")
            if m is None or m.error():
                continue
            got.append(m)
            at = m.offset() + 1
        return got
    finally:
        c.close()


def values(cluster, topic, partition=0, **kw):
    return [m.value() for m in read_all(cluster, topic, partition, **kw)]
