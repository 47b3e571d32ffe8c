#!/usr/bin/python3
"""admin.py - administration through Kafka's own APIs, asked of any broker."""
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send, send_ok, values
from lib.cluster import BUILD, PATIENCE, Cluster, Failed, expect, expect_eq, main, test, wait_for
from lib.wire import Reader, ask, compact, set_config, uvarint

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

OF_TOPIC, OF_BROKER, OF_CLUSTER, OF_FILE, DEFAULT = 1, 2, 3, 4, 5


def admin(c, broker=None):
    """One client per cluster and broker: a future dies with its client."""
    where = c.brokers[broker]["address"] if broker else c.bootstrap
    clients = c.__dict__.setdefault("admins", {})
    if where not in clients:
        clients[where] = AdminClient({"bootstrap.servers": where, "log_level": 0})
    return clients[where]


def outcome(future):
    """None, or the name of the error and what it says."""
    try:
        future.result(timeout=60 * PATIENCE)
        return None
    except KafkaException as why:
        return why.args[0].name(), why.args[0].str()


def refused(future, name, *words):
    got = outcome(future)
    expect(got is not None, f"accepted, not refused with {name}")
    expect_eq(got[0], name, "error")
    for w in words:
        expect(w in got[1], f"{got[1]!r} does not say {w!r}")


def configs(c, kind, name, broker=None):
    resource = ConfigResource(kind, name)
    return admin(c, broker).describe_configs([resource])[resource].result(timeout=30 * PATIENCE)


def alter(c, kind, name, **values_by_name):
    resource = ConfigResource(kind, name, set_config={k.replace("_", "."): v for k, v in values_by_name.items()})
    return admin(c).alter_configs([resource])[resource]


# ---- raw requests ---------------------------------------------------------------------------------


def increment(c, kind, name, *operations):
    """IncrementalAlterConfigs: (key, 0 set 1 delete 2 append 3 subtract, value)...; error and message."""
    body = b"".join(compact(key) + struct.pack(">b", op) + compact(value) + b"\0" for key, op, value in operations)
    body = b"\x02" + struct.pack(">b", kind) + compact(name) + uvarint(len(operations) + 1) + body + b"\0"
    r = Reader(ask(c, 44, 1, body + b"\0\0"))
    return r.take("iBh")[2], r.text()


def described(c, kind, name, broker=1):
    """DescribeConfigs: {name: [(name, value, source) of every level]}, or the error."""
    body = b"\x02" + struct.pack(">b", kind) + compact(name) + compact(None) + b"\0" + struct.pack(">??", True, False)
    r = Reader(ask(c, 32, 4, body + b"\0", broker))
    error, _, _, _, out = r.take("iBh")[2], r.text(), r.take("b"), r.text(), {}
    for _ in range(r.uvarint() - 1):
        key, _, _, levels = r.text(), r.text(), r.take("?b?"), []
        for _ in range(r.uvarint() - 1):
            levels.append((r.text(), r.text(), r.take("bB")[0]))
        out[key] = levels
        r.take("b")
        r.text()
        r.uvarint()
    return error or out


def describe_partitions(c, topics, limit, cursor=None):
    """One page: [(topic, error, [partitions])] and the next cursor."""
    body = uvarint(len(topics) + 1) + b"".join(compact(t) + b"\0" for t in topics) + struct.pack(">i", limit)
    body += b"\xff" if cursor is None else b"\x01" + compact(cursor[0]) + struct.pack(">i", cursor[1]) + b"\0"
    r = Reader(ask(c, 75, 0, body + b"\0"))
    r.take("i")
    out = []
    for _ in range(r.uvarint() - 1):
        error, name, _, partitions = r.take("h"), r.text(), r.take("16s?"), []
        for _ in range(r.uvarint() - 1):
            partitions.append(r.take("hiii")[1])
            for _ in range(5):
                r.ids()
            r.uvarint()
        r.take("iB")
        out.append((name, error, partitions))
    return out, (r.text(), r.take("i")) if r.take("b") >= 0 else None


# ---- topics ---------------------------------------------------------------------------------------


@test
def topics_come_grow_and_go_through_any_broker():
    with Cluster() as c:
        for b in c.brokers:
            expect_eq(outcome(admin(c, b).create_topics([NewTopic(f"t{b}", 2, 3)])[f"t{b}"]), None, "create")
        expect_eq(outcome(admin(c, 1).create_partitions([NewPartitions("t3", 5)])["t3"]), None, "grow")
        for b in c.brokers:
            known = admin(c, b).list_topics(timeout=10).topics
            expect_eq({t: len(known[t].partitions) for t in known}, {"t1": 2, "t2": 2, "t3": 5}, f"topics of broker {b}")
        send_ok(producer(c), "t3", b"x", partition=4)
        expect_eq(outcome(admin(c, 2).delete_topics(["t1"])["t1"]), None, "delete")
        for b in c.brokers:
            expect_eq(sorted(admin(c, b).list_topics(timeout=10).topics), ["t2", "t3"], f"topics of broker {b}")


@test
def refusals_name_the_error_and_say_why():
    with Cluster() as c:
        c.create("t", partitions=3)
        new = admin(c).create_topics([NewTopic("t", 1, 1), NewTopic("a/b", 1, 1), NewTopic("many", 1, 9),
                                      NewTopic("conf", 1, 1, config={"retention.ms": "soon"}),
                                      NewTopic("nosuch", 1, 1, config={"retention": "1"}),
                                      NewTopic("who", 1, replica_assignment=[[1, 77]])])
        refused(new["t"], "TOPIC_ALREADY_EXISTS", "'t'")
        refused(new["a/b"], "TOPIC_EXCEPTION", "a/b")
        refused(new["many"], "INVALID_REPLICATION_FACTOR", "9", "3")
        refused(new["conf"], "INVALID_CONFIG", "retention.ms", "soon")
        refused(new["nosuch"], "INVALID_CONFIG", "retention")
        refused(new["who"], "INVALID_REPLICA_ASSIGNMENT", "77")
        refused(admin(c).create_partitions([NewPartitions("t", 2)])["t"], "INVALID_PARTITIONS", "3")
        refused(admin(c).create_partitions([NewPartitions("none", 2)])["none"], "UNKNOWN_TOPIC_OR_PART")
        refused(admin(c).delete_topics(["none"])["none"], "UNKNOWN_TOPIC_OR_PART")
        expect_eq(sorted(admin(c).list_topics(timeout=10).topics), ["t"], "topics")


@test
def only_validated_is_not_done():
    with Cluster() as c:
        c.create("t", partitions=2)
        a = admin(c)
        expect_eq(outcome(a.create_topics([NewTopic("new", 1, 3)], validate_only=True)["new"]), None, "create")
        refused(a.create_topics([NewTopic("new", 1, 7)], validate_only=True)["new"], "INVALID_REPLICATION_FACTOR")
        expect_eq(outcome(a.create_partitions([NewPartitions("t", 5)], validate_only=True)["t"]), None, "grow")
        topics = a.list_topics(timeout=10).topics
        expect_eq({t: len(topics[t].partitions) for t in topics}, {"t": 2}, "topics")


@test
def a_topic_asked_for_is_created_where_the_option_says_so():
    with Cluster(conf={"auto.create.topics.enable": "true", "num.partitions": "4"}) as c:
        p = producer(c)
        send_ok(p, "fresh", b"x")
        expect_eq(values(c, "fresh"), [b"x"], "records")
        expect_eq(len(admin(c).list_topics("fresh", timeout=10).topics["fresh"].partitions), 4, "partitions")
    with Cluster(brokers=1) as c:
        topic = Producer({"bootstrap.servers": c.bootstrap}).list_topics("fresh", timeout=10).topics["fresh"]
        expect(topic.error is not None and topic.error.name() == "UNKNOWN_TOPIC_OR_PART", f"{topic.error}")
        expect_eq(list(admin(c).list_topics(timeout=10).topics), [], "topics")


@test
def partitions_are_described_page_by_page():
    with Cluster(brokers=1) as c:
        for name, n in (("a", 3), ("b", 1), ("c", 4)):
            c.create(name, partitions=n, rf=1)
        everything = [(b"a", 0, [0, 1, 2]), (b"b", 0, [0]), (b"c", 0, [0, 1, 2, 3])]
        expect_eq(describe_partitions(c, [], 2000), (everything, None), "one page")
        for limit in range(1, 9):
            seen, cursor, pages = {}, None, 0
            while pages == 0 or cursor:
                page, cursor = describe_partitions(c, [], limit, cursor)
                expect(sum(len(p) for _, _, p in page) <= limit, f"a page of more than {limit}")
                for name, error, partitions in page:
                    seen.setdefault(name, []).extend(partitions)
                pages += 1
            expect_eq([(n, 0, p) for n, p in seen.items()], everything, f"pages of {limit}")
        page, cursor = describe_partitions(c, [b"c", b"none", b"a", b"c"], 2000)
        expect_eq(page, [everything[0], everything[2], (b"none", 3, [])], "by name")
        expect_eq(cursor, None, "cursor")


# ---- configs --------------------------------------------------------------------------------------


@test
def configs_have_values_sources_and_synonyms():
    with Cluster(conf={"log.segment.bytes": "2097152", "log.retention.hours": "10"}) as c:
        c.create("t", retention_bytes=5000000)
        got = configs(c, "topic", "t")
        expect_eq((got["retention.bytes"].value, got["retention.bytes"].source), ("5000000", OF_TOPIC), "own")
        expect_eq((got["segment.bytes"].value, got["segment.bytes"].source), ("2097152", OF_FILE), "the file's")
        expect_eq((got["retention.ms"].value, got["retention.ms"].source), ("36000000", OF_FILE), "hours in the file")
        expect_eq((got["cleanup.policy"].value, got["cleanup.policy"].source), ("delete", DEFAULT), "default")
        own = configs(c, "broker", "2", broker=2)
        expect_eq((own["node.id"].value, own["node.id"].is_read_only), ("2", True), "node.id")
        expect_eq((own["log.segment.bytes"].value, own["log.segment.bytes"].source), ("2097152", OF_FILE), "segments")
        expect_eq(increment(c, 4, b"", (b"log.segment.bytes", 0, b"4194304")), (0, None), "every broker")
        expect_eq(increment(c, 4, b"2", (b"log.segment.bytes", 0, b"8388608")), (0, None), "broker 2")
        key, default = b"log.segment.bytes", (b"log.segment.bytes", b"1073741824", DEFAULT)
        for b in c.brokers:
            want = [(key, b"8388608", OF_BROKER)] if b == 2 else []
            want += [(key, b"4194304", OF_CLUSTER), (key, b"2097152", OF_FILE), default]
            expect_eq(described(c, 2, b"t", b)[b"segment.bytes"], want, f"as broker {b} has it")
        expect_eq(described(c, 4, b"", 3), {key: [(key, b"4194304", OF_CLUSTER)]}, "of every broker")
        expect_eq(described(c, 4, b"2", 3), 42, "INVALID_REQUEST: another broker's options")
        expect_eq(described(c, 9, b"x"), 42, "INVALID_REQUEST: no such kind")
        try:
            configs(c, "topic", "none")
            raise Failed("a topic that is not there was described")
        except KafkaException as why:
            expect_eq(why.args[0].name(), "UNKNOWN_TOPIC_OR_PART", "error")


@test
def single_configs_are_set_deleted_appended_and_subtracted():
    with Cluster() as c:
        c.create("t", cleanup_policy="delete")
        for op, value, want in ((2, b"compact", b"delete,compact"), (3, b"delete", b"compact"), (1, None, b"delete")):
            expect_eq(increment(c, 2, b"t", (b"cleanup.policy", op, value)), (0, None), f"operation {op}")
            levels = described(c, 2, b"t", 2)[b"cleanup.policy"]
            expect(sorted(levels[0][1].split(b",")) == sorted(want.split(b",")), f"{levels} after {op}")
        expect_eq(increment(c, 2, b"t", (b"retention.ms", 2, b"1"))[0], 40, "a number is no list")
        error, why = increment(c, 2, b"t", (b"retention.ms", 7, b"1"))
        expect_eq(error, 42, "no such operation")
        expect(b"retention.ms" in why and b"7" in why, f"{why}")
        expect_eq(described(c, 2, b"t")[b"min.insync.replicas"][0], (b"min.insync.replicas", b"2", OF_TOPIC),
                  "what nobody touched")


@test
def configs_change_at_run_time():
    with Cluster() as c:
        c.create("t")
        p = producer(c, message_max_bytes=2000000)
        send_ok(p, "t", b"x" * 20000)
        expect_eq(outcome(alter(c, "topic", "t", max_message_bytes="10000", min_insync_replicas="3")), None, "alter")
        late = send(p, "t", b"x" * 20000)
        expect(late.error is not None and late.error.name() == "MSG_SIZE_TOO_LARGE", f"{late.error}")
        send_ok(p, "t", b"x" * 5000)
        leader = c.partition("t")["leader"]
        expect_eq(outcome(alter(c, "topic", "t", min_insync_replicas="2")), None, "back to the brokers' limit")
        send_ok(p, "t", b"x" * 20000)
        expect_eq(increment(c, 4, b"%d" % leader, (b"message.max.bytes", 0, b"10000")), (0, None), "the leader's own")
        late = send(p, "t", b"x" * 20000)
        expect(late.error is not None and late.error.name() == "MSG_SIZE_TOO_LARGE", f"{late.error}")
        expect_eq(outcome(alter(c, "topic", "t", max_message_bytes="10000")), None, "alter")
        refused(alter(c, "topic", "t", max_message_bytes="many"), "INVALID_CONFIG", "max.message.bytes", "many")
        refused(alter(c, "topic", "none", retention_ms="1"), "UNKNOWN_TOPIC_OR_PART", "none")
        expect_eq(configs(c, "topic", "t")["max.message.bytes"].value, "10000", "what is in force")


@test
def defaults_of_all_brokers_change_at_run_time():
    """What topics get that say nothing, and what a broker does besides; the rest is refused in words."""
    with Cluster(conf={"log.retention.check.interval.ms": "300"}) as c:
        c.create("t", [[1, 2, 3]])

        def segments():
            return sum(f.endswith(".log") for f in os.listdir(c.log_dir(1, "t")))

        def write(n):
            p = producer(c, linger_ms=5)
            for _ in range(n):
                p.produce("t", value=os.urandom(50000), partition=0)
            expect_eq(p.flush(60), 0, "records not written")
        set_config(c, 4, "", log_segment_bytes=1048576)
        write(100)
        expect(segments() >= 4, f"{segments()} segments")
        set_config(c, 4, "", log_retention_bytes=1000000, log_segment_delete_delay_ms=0)
        wait_for(lambda: segments() <= 2, 20, "old segments to go")
        set_config(c, 4, "1", log_retention_bytes=50000000)
        expect_eq(described(c, 2, b"t", 1)[b"retention.bytes"][0], (b"log.retention.bytes", b"50000000", OF_BROKER),
                  "in force on broker 1")
        expect_eq(described(c, 2, b"t", 2)[b"retention.bytes"][0], (b"log.retention.bytes", b"1000000", OF_CLUSTER),
                  "in force on broker 2")
        for name, value in (("unclean_leader_election_enable", "true"), ("log_flush_interval_messages", 1),
                            ("log_flush_interval_ms", 1000), ("message_max_bytes", 2000000),
                            ("producer_id_expiration_ms", 3600000), ("log_dir_free_bytes_min", 1),
                            ("replica_alter_log_dirs_io_max_bytes_per_second", 1000000)):
            set_config(c, 4, "", **{name: value})
            key = name.replace("_", ".").encode()
            expect_eq(described(c, 4, b"2", 2)[key][0], (key, str(value).encode(), OF_CLUSTER), name)
            set_config(c, 4, "", **{name: None})
            expect(described(c, 4, b"2", 2)[key][0][2] == DEFAULT, f"{name} is no default again")
        for name in (b"num.io.threads", b"listeners", b"log.dirs", b"replica.lag.time.max.ms"):
            error, why = increment(c, 4, b"", (name, 0, b"7"))
            expect(error == 40 and b"cannot change while brokers run" in why, f"{name}: {error} {why}")


# ---- producers and records --------------------------------------------------------------------------


@test
def idempotent_producers_get_ids_of_their_own():
    with Cluster() as c:
        c.create("t", partitions=3)
        ids = []
        for i in range(30):
            r = Reader(ask(c, 22, 4, compact(None) + struct.pack(">iqh", 0, -1, -1) + b"\0", broker=1 + i % 3))
            error, pid, epoch = r.take("ihqh")[1:]
            expect_eq((error, epoch), (0, 0), "error and epoch")
            ids.append(pid)
        expect_eq(len(set(ids)), 30, "different ids")
        send_ok(producer(c, enable_idempotence=True), "t", b"x")
        r = Reader(ask(c, 22, 4, compact(b"tx") + struct.pack(">iqh", 60000, -1, -1) + b"\0"))
        expect_eq(r.take("ihq")[1:], (35, -1), "a transactional producer is told at once")


@test
def records_are_deleted_up_to_an_offset_on_every_replica():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]])
        p = producer(c)
        for i in range(100):
            send_ok(p, "t", b"%d" % i)

        def delete(offset):
            body = uvarint(2) + compact(b"t") + uvarint(2) + struct.pack(">iq", 0, offset) + b"\0\0"
            r = Reader(ask(c, 21, 2, body + struct.pack(">i", 10000) + b"\0"))
            r.take("iB")
            r.text()
            return r.take("Biqh")[2:]

        expect_eq(delete(40), (40, 0), "low watermark and error")
        expect_eq(values(c, "t"), [b"%d" % i for i in range(40, 100)], "records")
        expect_eq(delete(101), (-1, 1), "past the high watermark")
        expect_eq(delete(-1), (100, 0), "all of them")
        expect_eq(values(c, "t"), [], "records")
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        expect_eq(values(c, "t"), [], "records after a restart")
        expect_eq(send_ok(p, "t", b"next"), 100, "offset")


# ---- the cluster --------------------------------------------------------------------------------------


@test
def leadership_goes_back_to_the_preferred_replica():
    with Cluster() as c:
        c.create("t", [[1, 2, 3], [2, 3, 1]])
        c.kill(1)
        c.wait_leader("t", 0, other_than=1)
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])

        def elect(kind, partition):
            body = struct.pack(">b", kind) + uvarint(2) + compact(b"t") + uvarint(2) + struct.pack(">i", partition)
            r = Reader(ask(c, 43, 2, body + b"\0" + struct.pack(">i", 10000) + b"\0"))
            expect_eq(r.take("ih")[1], 0, "top error")
            r.uvarint()
            r.text()
            return r.take("Bih")[2]

        if c.partition("t")["leader"] != 1:
            expect_eq(elect(0, 0), 0, "error")
        expect_eq(c.partition("t")["leader"], 1, "leader")
        expect_eq(elect(0, 0), 84, "ELECTION_NOT_NEEDED")
        expect_eq(elect(1, 1), 84, "ELECTION_NOT_NEEDED")
        expect_eq(elect(0, 9), 3, "UNKNOWN_TOPIC_OR_PARTITION")


@test
def leadership_goes_back_by_itself():
    with Cluster(controller_conf={"leader.imbalance.check.interval.seconds": "1"}) as c:
        c.create("t", [[1, 2, 3]])
        c.kill(1)
        c.wait_leader("t", other_than=1)
        c.restart(1)
        wait_for(lambda: c.partition("t")["leader"] == 1, 20, "the preferred leader")


@test
def a_dead_broker_is_fenced_described_and_unregistered():
    with Cluster() as c:
        def brokers(fenced):
            r = Reader(ask(c, 60, 2, struct.pack(">?b?", False, 1, fenced) + b"\0"))
            expect_eq(r.take("ih")[1], 0, "error")
            r.text()
            r.take("b")
            r.text()
            r.take("i")
            out = {}
            for _ in range(r.uvarint() - 1):
                node, _, _, _ = r.take("i"), r.text(), r.take("i"), r.text()
                out[node] = r.take("?B")[0]
            return out

        expect_eq(brokers(False), {1: False, 2: False, 3: False}, "brokers")
        c.kill(3)
        wait_for(lambda: brokers(False) == {1: False, 2: False}, 20, "broker 3 fenced")
        expect_eq(brokers(True), {1: False, 2: False, 3: True}, "with the fenced one")
        r = Reader(ask(c, 64, 0, struct.pack(">i", 3) + b"\0"))
        expect_eq(r.take("ih")[1], 0, "error of UnregisterBroker")
        wait_for(lambda: brokers(True) == {1: False, 2: False}, 20, "broker 3 forgotten")
        r = Reader(ask(c, 64, 0, struct.pack(">i", 3) + b"\0"))
        expect_eq(r.take("ih")[1], 102, "BROKER_ID_NOT_REGISTERED")
        expect(b"3" in r.text(), "the message names the broker")


@test
def without_a_controller_the_answer_is_an_error_in_time():
    with Cluster() as c:
        c.create("t")
        for n, node in c.nodes.items():
            if node["role"] == "controller":
                c.kill(n)
        got = outcome(admin(c).create_topics([NewTopic("new", 1, 1)], operation_timeout=1, request_timeout=20)["new"])
        expect(got is not None, "created without a controller")
        send_ok(producer(c), "t", b"served as before")
        expect_eq(values(c, "t"), [b"served as before"], "records")


@test
def every_version_of_every_api_is_answered():
    """Random requests, half of them aimed at a topic that is there."""
    with Cluster() as c:
        c.create("every-api", partitions=3)
        for b, node in c.brokers.items():
            host, port = node["address"].rsplit(":", 1)
            run = subprocess.run([os.path.join(BUILD, "tests/e2e/every_api"), host, port, "every-api", str(b), "20"],
                                 stdout=subprocess.PIPE, text=True, timeout=120 * PATIENCE)
            expect_eq(run.returncode, 0, f"broker {b}: {run.stdout}")
        for node in c.nodes.values():
            os.kill(node["pid"], 0)
        c.create("after", partitions=3)
        send_ok(producer(c), "after", b"x")


@test
def kafka_python_administers():
    try:
        from kafka.admin import ConfigResource as Resource
        from kafka.admin import ConfigResourceType, KafkaAdminClient
        from kafka.admin import NewPartitions as Grow
        from kafka.admin import NewTopic as Topic
    except ImportError as why:
        print(f"SKIP kafka-python is not usable here: {why}")
        return
    with Cluster() as c:
        a = KafkaAdminClient(bootstrap_servers=c.bootstrap.split(","))
        a.create_topics([Topic("t", 2, 3)])
        a.create_partitions({"t": Grow(4)})
        expect_eq([len(t["partitions"]) for t in a.describe_topics(["t"])], [4], "partitions")
        a.alter_configs([Resource(ConfigResourceType.TOPIC, "t", configs={"retention.ms": "5000"})])
        answer = a.describe_configs([Resource(ConfigResourceType.TOPIC, "t")])[0].resources[0]
        expect_eq({e[0]: e[1] for e in answer[4]}["retention.ms"], "5000", "retention.ms")
        expect_eq(len(a.describe_cluster()["brokers"]), 3, "brokers")
        a.delete_topics(["t"])
        expect_eq(a.list_topics(), [], "topics")
        a.close()


@test
def the_weir_command_reaches_the_controller_through_a_broker():
    with Cluster() as c:
        c.weir("topics", "create", "t", "-p", "2", "-b", c.brokers[2]["address"])
        text = subprocess.run(["kcat", "-b", c.bootstrap, "-L", "-t", "t"], stdout=subprocess.PIPE, text=True,
                              timeout=30 * PATIENCE).stdout
        expect("with 2 partitions" in text, text)
        # A broker's own words, RegisterBroker for one, are not passed on for anybody else.
        r = Reader(ask(c, 10000, 0, compact(b"\x12\x02\x08\x01") + b"\0"))
        expect_eq(r.take("h"), 42, "INVALID_REQUEST")
        r = Reader(ask(c, 10000, 0, compact(b"\xff\xff\xff") + b"\0"))
        expect_eq(r.take("h"), 42, "INVALID_REQUEST")


if __name__ == "__main__":
    main()
