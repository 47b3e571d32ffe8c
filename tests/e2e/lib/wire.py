"""wire.py - raw requests in Kafka's flexible encoding, for what no client library here can ask."""
import base64
import socket
import struct

from lib.cluster import PATIENCE, Failed, expect_eq


def uvarint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def compact(text):
    return uvarint(0) if text is None else uvarint(len(text) + 1) + text


def read_exactly(s, n):
    out = b""
    while len(out) < n:
        got = s.recv(n - len(out))
        if not got:
            raise Failed("the connection was closed")
        out += got
    return out


def ask(c, key, version, body, broker=1):
    """One request with a flexible header; the body of the answer."""
    host, port = c.brokers[broker]["address"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30 * PATIENCE) as s:
        head = struct.pack(">hhih", key, version, 7, 5) + b"admin" + b"\0"
        s.sendall(struct.pack(">i", len(head + body)) + head + body)
        answer = read_exactly(s, struct.unpack(">i", read_exactly(s, 4))[0])
        expect_eq(struct.unpack(">i", answer[:4])[0], 7, "correlation id")
        return answer[5:]


def produce_later(c, topic, batch, acks, broker=1):
    """Sends a batch to partition 0 at that broker; gives what waits for the answer's error code."""
    host, port = c.brokers[broker]["address"].rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=30 * PATIENCE)
    part = struct.pack(">i", 0) + compact(batch) + b"\0"
    body = compact(None) + struct.pack(">hi", acks, 20000) + array([compact(topic.encode()) + array([part]) + b"\0"]) + b"\0"
    head = struct.pack(">hhih", 0, 9, 7, 5) + b"admin" + b"\0"
    s.sendall(struct.pack(">i", len(head + body)) + head + body)

    def answer():
        with s:
            r = Reader(read_exactly(s, struct.unpack(">i", read_exactly(s, 4))[0])[5:])
        r.uvarint(), r.text(), r.uvarint()
        return r.take("ih")[1]
    return answer


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        n = struct.calcsize(">" + form)
        self.at += n
        got = struct.unpack(">" + form, self.data[self.at - n:self.at])
        return got[0] if len(got) == 1 else got

    def uvarint(self):
        n = shift = 0
        while True:
            b = self.take("B")
            n, shift = n | (b & 127) << shift, shift + 7
            if b < 128:
                return n

    def text(self):
        n = self.uvarint() - 1
        if n < 0:
            return None
        self.at += n
        return self.data[self.at - n:self.at]

    def array(self, one):
        """None for null."""
        n = self.uvarint()
        return None if n == 0 else [one() for _ in range(n - 1)]

    def skip(self, *after):
        """The tags behind a value: none of ours are here."""
        expect_eq(self.uvarint(), 0, "tags")
        return after[0] if after else None

    def ids(self):
        return self.array(lambda: self.take("i"))


def array(items):
    return uvarint(0) if items is None else uvarint(len(items) + 1) + b"".join(items)


def set_config(c, kind, name, **values_by_name):
    body = array([compact(k.replace("_", ".").encode()) + struct.pack(">b", 0 if v is not None else 1) +
                  compact(None if v is None else str(v).encode()) + b"\0" for k, v in values_by_name.items()])
    body = array([struct.pack(">b", kind) + compact(name.encode()) + body + b"\0"]) + b"\0\0"
    r = Reader(ask(c, 44, 1, body))
    error, why = r.take("iBh")[2], r.text()
    expect_eq((error, why), (0, None), f"{name}: {values_by_name}")


# ---- reassignments ------------------------------------------------------------------------------


def reassign(c, topic, plan, broker=1, may_change_rf=True):
    """plan: {partition: [broker, ...] or None to cancel}; {partition: (error, message)} of what was refused."""
    parts = [struct.pack(">i", n) + array(None if to is None else [struct.pack(">i", b) for b in to]) + b"\0"
             for n, to in sorted(plan.items())]
    body = struct.pack(">i?", 60000, may_change_rf) + array([compact(topic.encode()) + array(parts) + b"\0"]) + b"\0"
    r = Reader(ask(c, 45, 1, body, broker))
    error = r.take("i?h")[2]
    expect_eq((error, r.text()), (0, None), "error of the whole request")

    def one():
        n, code = r.take("ih")
        return n, (code, r.skip(r.text()))
    results = r.array(lambda: (r.text(), r.skip(r.array(one))))
    return {n: why for _, rows in results for n, why in rows if why[0]}


def reassignments(c, broker=1):
    """{(topic, partition): (replicas, adding, removing)} of what is under way."""
    r = Reader(ask(c, 46, 0, struct.pack(">i", 60000) + array(None) + b"\0", broker))
    error = r.take("ih")[1]
    expect_eq((error, r.text()), (0, None), "error of the whole request")
    out = {}

    def one(topic):
        n = r.take("i")
        out[topic, n] = r.skip((r.ids(), r.ids(), r.ids()))

    def of_topic():
        topic = r.text().decode()
        r.array(lambda: one(topic))
        r.skip()
    r.array(of_topic)
    return out


# ---- the quorum's voters ------------------------------------------------------------------------


def uuid_bytes(text):
    """A directory id as tools print it: base64 for file names, without its padding."""
    return base64.urlsafe_b64decode(text + "==")


def add_voter(c, voter, directory, cluster_id=None, timeout_ms=5000, version=1, broker=1):
    """(error code, message)"""
    listeners = array([compact(b"CONTROLLER") + compact(b"127.0.0.1") + struct.pack(">H", 9093) + b"\0"])
    body = compact(cluster_id) + struct.pack(">ii", timeout_ms, voter) + uuid_bytes(directory) + listeners
    body += (b"\1" if version > 0 else b"") + b"\0"
    r = Reader(ask(c, 80, version, body, broker))
    return r.take("ih")[1], r.skip(r.text())


def remove_voter(c, voter, directory, cluster_id=None, broker=1):
    """(error code, message)"""
    body = compact(cluster_id) + struct.pack(">i", voter) + uuid_bytes(directory) + b"\0"
    r = Reader(ask(c, 81, 0, body, broker))
    return r.take("ih")[1], r.skip(r.text())


def describe_quorum(c, broker=1):
    """(leader, {voter: directory}, {observer: directory}), brokers among the observers."""
    body = array([compact(b"__cluster_metadata") + array([struct.pack(">i", 0) + b"\0"]) + b"\0"]) + b"\0"
    r = Reader(ask(c, 55, 2, body, broker))
    expect_eq((r.take("h"), r.text()), (0, None), "error of the whole request")

    def replica():
        who, directory = r.take("i16s")
        r.take("qqq")
        return r.skip((who, base64.urlsafe_b64encode(directory).decode().rstrip("=")))

    def partition():
        expect_eq((r.take("ih"), r.text()), ((0, 0), None), "the partition")
        leader = r.take("iiq")[0]
        return r.skip((leader, dict(r.array(replica)), dict(r.array(replica))))
    return r.array(lambda: (r.text(), r.skip(r.array(partition))))[0][1][0]
