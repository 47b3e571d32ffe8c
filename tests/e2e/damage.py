#!/usr/bin/python3
"""damage.py - files torn, flipped, cut and mixed up while a node is down: it recovers, refetches, or
refuses with one clear sentence."""
import glob
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send_ok, values
from lib.cluster import PATIENCE, Cluster, expect, expect_eq, main, test, wait_for
from lib.history import equal_replicas

SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


def fill(c, n=60, size=3000, topic="t"):
    p = producer(c)
    for _ in range(n):
        p.produce(topic, value=os.urandom(random.randrange(1, size)), partition=0)
        if random.random() < 0.2:
            p.flush(10)
    expect_eq(p.flush(30), 0, "records without an answer")


def active(c, node, suffix=".log", topic="t"):
    return sorted(glob.glob(os.path.join(c.log_dir(node, topic), "*" + suffix)))[-1]


def poke(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def damaged(story, hurt, victim=3):
    """hurt(c, rnd) with broker `victim` dead; afterwards it comes back and is equal to the others."""
    rnd = random.Random(SEED)
    print(f"    seed {SEED}", flush=True)
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2, segment_bytes=1048576)
        for _ in range(story):
            fill(c)
            before = values(c, "t")
            c.kill(victim)
            hurt(c, rnd)
            fill(c, 10)
            c.restart(victim)
            c.wait_isr("t", [1, 2, 3])
            fill(c, 5)
            expect_eq(values(c, "t")[:len(before)], before, "the records from before")
            equal_replicas(c, "t")


@test
def a_torn_tail_is_cut_and_fetched_again():
    def hurt(c, rnd):
        path = active(c, 3)
        size = os.path.getsize(path)
        kind = rnd.randrange(4)
        if kind == 0:
            with open(path, "ab") as f:
                f.write(rnd.randbytes(rnd.randrange(1, 5000)))
        elif kind == 1:
            os.truncate(path, rnd.randrange(max(size - 8000, 0), size))
        elif kind == 2:
            with open(path, "ab") as f:
                f.write(b"\0" * rnd.randrange(1, 9000))
        else:
            with open(path, "rb") as f:
                head = f.read(rnd.randrange(10, 3000))
            with open(path, "ab") as f:
                f.write(head)
    damaged(6, hurt)


@test
def flipped_bits_in_a_follower_are_found_and_fetched_again():
    def hurt(c, rnd):
        path = active(c, 3)
        at = rnd.randrange(os.path.getsize(path))
        with open(path, "rb") as f:
            f.seek(at)
            was = f.read(1)[0]
        poke(path, at, bytes([was ^ (1 << rnd.randrange(8))]))
    damaged(6, hurt)


@test
def lost_and_broken_side_files_are_made_again():
    def hurt(c, rnd):
        d = c.log_dir(3, "t")
        data = os.path.dirname(d)
        paths = [p for p in glob.glob(d + "/*") + glob.glob(data + "/*checkpoint*")
                 if not p.endswith((".log", "partition.metadata"))]
        for path in rnd.sample(paths, min(len(paths), 4)):
            kind = rnd.randrange(4)
            size = os.path.getsize(path)
            if kind == 0:
                os.unlink(path)
            elif kind == 1:
                os.truncate(path, 0)
            elif kind == 2:
                with open(path, "wb") as f:
                    f.write(rnd.randbytes(size + 7))
            elif size:
                poke(path, rnd.randrange(size), rnd.randbytes(1))
    damaged(6, hurt)


@test
def a_leader_with_flipped_bits_gives_nobody_wrong_records():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        fill(c, 40)
        before = values(c, "t")
        path = active(c, 1)
        at = os.path.getsize(path) // 2
        with open(path, "rb") as f:
            f.seek(at)
            was = f.read(4)
        poke(path, at, bytes(b ^ 0x55 for b in was))
        c.kill(1)
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        c.weir("leaders", "elect", "t", "--partition", "0", check=False)
        fill(c, 5)
        expect_eq(values(c, "t")[:len(before)], before, "the records from before")
        equal_replicas(c, "t")


def refuses(c, node, *words):
    """The node does not start, and says why in one sentence with these words."""
    seen = len(c.log_text(node))
    done = c.weir("local", "restart", str(node), "--timeout", str(int(3 * PATIENCE)), check=False, timeout=30)
    said = c.log_text(node)[seen:]
    expect(done.returncode != 0, f"node {node} started: {said}")
    for word in words:
        expect(word in said, f"{word!r} is not in what node {node} said: {said}")
    expect("ASSERT" not in said.upper() and "assertion" not in said, said)


def edit(path, old, new):
    with open(path) as f:
        text = f.read()
    expect(old in text, f"{path} has no {old!r}: {text}")
    with open(path, "w") as f:
        f.write(text.replace(old, new))


def meta_properties(c, node):
    return next(p for p in glob.glob(c.nodes[node]["dir"] + "/data/meta.properties"))


@test
def a_directory_of_another_node_or_cluster_is_refused():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"x")
        c.weir("local", "kill", "3")
        path = meta_properties(c, 3)
        shutil.copy(path, path + ".kept")
        edit(path, "node.id=3", "node.id=2")
        refuses(c, 3, "node 2", "node.id=3")
        shutil.copy(path + ".kept", path)
        with open(path) as f:
            cluster_id = next(line for line in f if line.startswith("cluster.id=")).strip()
        edit(path, cluster_id, "cluster.id=AAAAAAAAAAAAAAAAAAAAAA")
        refuses(c, 3, "AAAAAAAAAAAAAAAAAAAAAA", cluster_id.split("=")[1])
        for text in (b"", b"\xff\x00garbage", b"node.id=3\n"):
            with open(path, "wb") as f:
                f.write(text)
            refuses(c, 3, "meta.properties")
        os.rename(path + ".kept", path)
        c.restart(3)
        c.wait_isr("t", [1, 2, 3])


@test
def a_partitions_metadata_file_may_be_lost_or_broken():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"x")
        for text in (None, b"", b"version: 0\ntopic_id: garbage\n"):
            c.weir("local", "kill", "3")
            path = os.path.join(c.log_dir(3, "t"), "partition.metadata")
            os.unlink(path)
            if text is not None:
                with open(path, "wb") as f:
                    f.write(text)
            send_ok(producer(c), "t", b"y")
            c.restart(3)
            c.wait_isr("t", [1, 2, 3])
            equal_replicas(c, "t")


@test
def two_brokers_with_one_id():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"x")
        c.weir("local", "kill", "3")
        conf = next(p for p in glob.glob(c.nodes[3]["dir"] + "/*.properties"))
        edit(conf, "node.id=3", "node.id=2")
        shutil.rmtree(os.path.join(c.nodes[3]["dir"], "data"))
        refuses(c, 3, "2")
        send_ok(producer(c), "t", b"y")
        expect_eq(sorted(c.partition("t")["isr"]), [1, 2], "ISR")


def metadata_log(c):
    boss = next(i for i, n in c.nodes.items() if n["role"] == "controller")
    files = [p for p in glob.glob(c.nodes[boss]["dir"] + "/data/**", recursive=True) if os.path.isfile(p)]
    logs = sorted(p for p in files if p.endswith(".log"))
    return boss, logs, files


@test
def the_metadata_logs_torn_tail_is_cut():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"x")
        for tail in (b"\0" * 100, os.urandom(77), b"\x01"):
            boss, logs, files = metadata_log(c)
            c.weir("local", "kill", str(boss))
            with open(logs[-1], "ab") as f:
                f.write(tail)
            c.restart(boss)
            c.weir("topics", "create", f"n{len(tail)}")
            send_ok(producer(c), "t", b"y")


@test
def a_metadata_log_damaged_in_the_middle_is_refused():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        for i in range(20):
            c.weir("topics", "create", f"n{i}")
        boss, logs, files = metadata_log(c)
        c.weir("local", "kill", str(boss))
        path = max(logs, key=os.path.getsize)
        with open(path, "rb") as f:
            kept = f.read()
        at = len(kept) // 3
        poke(path, at, bytes([kept[at] ^ 4]))
        refuses(c, boss, os.path.basename(path))
        with open(path, "wb") as f:
            f.write(kept)
        c.restart(boss)
        send_ok(producer(c), "t", b"x")


@test
def an_empty_controller_does_not_take_a_cluster_of_another_id():
    """A controller that lost its disk comes up as a new cluster: brokers with data must not obey."""
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"precious")
        boss, _, _ = metadata_log(c)
        data = os.path.join(c.nodes[boss]["dir"], "data")
        c.weir("local", "kill", str(boss))
        os.rename(data, data + ".kept")
        os.mkdir(data)
        c.weir("local", "restart", str(boss), check=False)
        wait_for(lambda: "belongs to cluster" in c.log_text(1), 10, "broker 1 to speak of its cluster")
        for node in (1, 2, 3):
            expect(os.path.isdir(c.log_dir(node, "t")), f"broker {node} lost its records")
        c.refresh()
        c.weir("local", "kill", str(boss))
        shutil.rmtree(data)
        os.rename(data + ".kept", data)
        c.restart(boss)
        for node in (1, 2, 3):
            if c.nodes[node]["state"] != "running":
                c.restart(node)
        wait_for(lambda: c.partition("t")["leader"] > 0, 20, "a leader")
        send_ok(producer(c), "t", b"again")
        expect_eq(values(c, "t"), [b"precious", b"again"], "records")


@test
def a_replica_whose_directory_was_removed_does_not_lead():
    """Its broker proves that nothing else is missing; a new replica, it would say, has nothing to lose.
    A checkpoint knows better."""
    with Cluster(conf={"replica.high.watermark.checkpoint.interval.ms": 50}) as c:
        c.create("t", [[2, 1, 3]], min_insync_replicas=2)
        fill(c)
        before = values(c, "t")
        checkpoint = os.path.join(os.path.dirname(c.log_dir(2, "t")), "replication-offset-checkpoint")
        wait_for(lambda: os.path.exists(checkpoint) and "t 0 60" in open(checkpoint).read(), 10, "a checkpoint")
        for node in (1, 2, 3):
            c.kill(node)
        shutil.rmtree(c.log_dir(2, "t"))
        for node in (2, 1, 3):
            c.restart(node)
        c.wait_isr("t", [1, 2, 3])
        expect(values(c, "t") == before, "what was acknowledged is not there any more")
        equal_replicas(c, "t")


@test
def an_old_copy_of_a_data_directory_does_not_lead():
    with Cluster() as c:
        c.create("t", [[2, 1, 3]], min_insync_replicas=2)
        fill(c, 10)
        data = os.path.dirname(c.log_dir(2, "t"))
        shutil.copytree(data, data + ".copy", ignore=shutil.ignore_patterns("*.tmp"))   # they come and go
        fill(c)
        before = values(c, "t")
        for node in (1, 2, 3):
            c.kill(node)
        os.rename(data, data + ".kept")
        os.rename(data + ".copy", data)
        for node in (2, 1, 3):
            c.restart(node)
        c.wait_isr("t", [1, 2, 3])
        expect(values(c, "t") == before, "what was acknowledged is not there any more")
        shutil.rmtree(data + ".kept")
        equal_replicas(c, "t")


@test
def what_a_deleted_topic_left_on_a_dead_broker_is_put_aside():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        c.create("gone", partitions=4)
        send_ok(producer(c), "gone", b"x")
        data = os.path.dirname(c.log_dir(3, "t"))
        c.kill(3)
        c.weir("topics", "delete", "gone", "--yes")
        c.restart(3)
        wait_for(lambda: len(glob.glob(os.path.join(data, "gone-*-stray"))) == 4, 10, "four strays")
        expect_eq(glob.glob(os.path.join(data, "gone-?")), [], "directories under the name")
        c.create("gone", partitions=4)
        send_ok(producer(c), "gone", b"y")
        expect_eq(values(c, "gone"), [b"y"], "records")


if __name__ == "__main__":
    main()
