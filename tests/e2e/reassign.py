#!/usr/bin/python3
"""reassign.py - replicas move between brokers (KIP-455) while records are written and read."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send_ok, values
from lib.cluster import Cluster, Failed, expect, expect_eq, main, test, wait_for
from lib.history import Load, equal_replicas
from lib.wire import reassign, reassignments, set_config

NO_REASSIGNMENT, BAD_ASSIGNMENT, BAD_FACTOR = 85, 39, 38
TOPIC, BROKER = 2, 4


def replicas(c, topic):
    return {p["partition"]: p["replicas"] for p in c.json("partitions", "list", topic)["items"]}


def finished(c, seconds=60):
    wait_for(lambda: not reassignments(c), seconds, "the end of the reassignments")


def is_hosted(c, broker, topic, n=0):
    try:
        return bool(c.log_dir(broker, topic, n))
    except Failed:
        return False


def not_hosted(c, broker, topic, n=0):
    wait_for(lambda: not is_hosted(c, broker, topic, n), 20, f"broker {broker} to let go of {topic}-{n}")


@test
def a_partition_moves_and_its_old_replicas_go():
    with Cluster(brokers=4) as c:
        c.create("t", [[1, 2]], min_insync_replicas=1)
        p = producer(c)
        for i in range(200):
            send_ok(p, "t", b"%d" % i)
        expect_eq(reassign(c, "t", {0: [3, 4]}, broker=2), {}, "refusals")
        finished(c)
        expect_eq(replicas(c, "t"), {0: [3, 4]}, "replicas")
        expect_eq(c.partition("t")["leader"], 3, "leader")
        for b in (1, 2):
            not_hosted(c, b, "t")
        expect_eq(values(c, "t"), [b"%d" % i for i in range(200)], "records")
        send_ok(p, "t", b"after")
        # And back at once: the directories of before are on their way out.
        expect_eq(reassign(c, "t", {0: [1, 2, 3]}), {}, "refusals")
        finished(c)
        c.wait_isr("t", [1, 2, 3])
        equal_replicas(c, "t")
        expect_eq(len(values(c, "t")), 201, "records")


@test
def refusals_carry_kafkas_errors():
    with Cluster() as c:
        c.create("t", [[1, 2]])
        expect_eq(reassign(c, "t", {0: None})[0][0], NO_REASSIGNMENT, "cancel of nothing")
        expect_eq(reassign(c, "t", {7: [1]})[7][0], 3, "no such partition")
        expect_eq(reassign(c, "t", {0: [1, 9]})[0][0], BAD_ASSIGNMENT, "no such broker")
        expect_eq(reassign(c, "t", {0: []})[0][0], BAD_ASSIGNMENT, "nobody")
        expect_eq(reassign(c, "t", {0: [1, 1]})[0][0], BAD_ASSIGNMENT, "twice the same")
        expect_eq(reassign(c, "t", {0: [1, 2, 3]}, may_change_rf=False)[0][0], BAD_FACTOR, "another factor")
        expect_eq(replicas(c, "t"), {0: [1, 2]}, "replicas")


@test
def a_target_that_is_down_is_waited_for_and_a_cancel_restores():
    with Cluster() as c:
        c.create("t", [[1, 2]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"a")
        c.kill(3)
        wait_for(lambda: "fenced" in str(c.json("brokers", "list")), 20, "broker 3 to be fenced")
        expect_eq(reassign(c, "t", {0: [2, 3]}), {}, "refusals")
        time.sleep(1)
        expect_eq(reassignments(c), {("t", 0): ([2, 3, 1], [3], [1])}, "under way")
        expect(is_hosted(c, 1, "t"), "broker 1 let go before broker 3 was in sync")
        expect_eq(reassign(c, "t", {0: None}), {}, "refusals")
        expect_eq((reassignments(c), sorted(replicas(c, "t")[0])), ({}, [1, 2]), "cancelled")
        expect_eq(reassign(c, "t", {0: [2, 3]}), {}, "refusals")
        c.restart(3)
        finished(c)
        expect_eq((replicas(c, "t"), values(c, "t")), ({0: [2, 3]}, [b"a"]), "moved")


@test
def a_replica_that_was_taken_away_while_down_lets_go_when_it_is_back():
    with Cluster() as c:
        c.create("t", [[1, 2]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"a")
        c.kill(1)
        c.wait_leader("t", other_than=1)
        expect_eq(reassign(c, "t", {0: [2, 3]}, broker=2), {}, "refusals")
        wait_for(lambda: not reassignments(c, 2), 30, "the end of the reassignment")
        c.restart(1)
        not_hosted(c, 1, "t")
        expect_eq(reassign(c, "t", {0: [1, 3]}, broker=2), {}, "refusals")
        finished(c)
        expect_eq(values(c, "t"), [b"a"], "records")


@test
def a_move_goes_on_under_another_controller():
    with Cluster(controllers=3) as c:
        c.create("t", [[1, 2]] * 4, min_insync_replicas=1)
        with Load(c, "t", 4, rate=1000) as load:
            load.progress(1000)
            set_config(c, BROKER, "", leader_replication_throttled_rate=100000)
            set_config(c, TOPIC, "t", leader_replication_throttled_replicas="*")
            expect_eq(reassign(c, "t", {i: [3, 2] for i in range(4)}), {}, "refusals")
            active = next(r["id"] for r in c.json("quorum", "describe")["items"] if r.get("role") == "leader")
            c.kill(int(active))
            load.progress(1000)
            expect_eq(len(reassignments(c)), 4, "reassignments under way")
            set_config(c, BROKER, "", leader_replication_throttled_rate=None)
            finished(c)
            load.progress(500)
        load.check(replicas=(2, 3))
        expect_eq(replicas(c, "t"), {i: [3, 2] for i in range(4)}, "replicas")


@test
def twenty_partitions_move_between_five_brokers_under_load():
    """With a cancel, a change of mind, and a target that is killed and comes back."""
    n = 20
    with Cluster(brokers=5) as c:
        c.create("t", [[1 + i % 3, 1 + (i + 1) % 3, 1 + (i + 2) % 3] for i in range(n)], min_insync_replicas=2)
        with Load(c, "t", n, rate=3000) as load:
            load.progress(10000)
            to = {i: [4, 5, 1 + i % 3] for i in range(n)}
            expect_eq(reassign(c, "t", to), {}, "refusals")
            c.kill(4)
            load.progress(3000)
            # Some of them back to where they were, some to other brokers, the rest waits for broker 4.
            moving = [k[1] for k in reassignments(c)]
            for i in moving[:5]:
                reassign(c, "t", {i: None})
            for i in moving[5:10]:
                to[i] = [5, 2, 1 + 2 * (i % 2)]
                reassign(c, "t", {i: to[i]})
            load.progress(3000)
            c.restart(4)
            finished(c, seconds=120)
            now = replicas(c, "t")
            for i in range(n):
                expect(sorted(now[i]) == ([1, 2, 3] if i in moving[:5] else sorted(to[i])), f"replicas of {i}: {now[i]}")
            expect_eq(reassign(c, "t", {i: [2 + i % 4, 1, 2 + (i + 1) % 4] for i in range(n)}), {}, "refusals")
            load.progress(5000)
            finished(c, seconds=120)
            load.progress(2000)
        now = replicas(c, "t")
        expect_eq(load.failed[:3], [], "records refused")
        expect_eq(load.odd[:3], [], "what readers and writers saw")
        expect_eq(load.left, 0, "records without an answer")
        for i in range(n):
            c.wait_isr("t", now[i], i, seconds=60)
            load.check_partition(i)
            equal_replicas(c, "t", i, now[i])
        print(f"  {load.n_acked} records, longest time without an acknowledgement {load.longest_gap * 1000:.0f} ms")


RATE, SECONDS, PIECES = 4_000_000, 5, 4    # so many bytes, in PIECES partitions, are moved in SECONDS


def fill(c, topic):
    p = producer(c, linger_ms=5, acks=1)
    for i in range(RATE * SECONDS // 50000):
        p.produce(topic, value=os.urandom(50000), partition=i % PIECES)
        p.poll(0)
    expect_eq(p.flush(60), 0, "records not written")


def throttled(side, value_of_list):
    """Moves all from broker 1 to 2 and 3, and back without a throttle: by that time, which is this
    machine's own, it may miss its rate."""
    with Cluster() as c:
        c.create("t", [[1]] * PIECES, min_insync_replicas=1)
        fill(c, "t")
        set_config(c, BROKER, "", **{f"{side}.replication.throttled.rate": RATE})
        set_config(c, TOPIC, "t", **{f"{side}.replication.throttled.replicas": value_of_list})
        start = time.monotonic()
        expect_eq(reassign(c, "t", {i: [2 + (i % 2 if side == "leader" else 0)] for i in range(PIECES)}), {}, "refusals")
        finished(c)
        took = time.monotonic() - start
        for i in range(PIECES):
            expect_eq(len(values(c, "t", i)), RATE * SECONDS // 50000 // PIECES, "records")
        set_config(c, BROKER, "", **{f"{side}.replication.throttled.rate": None})
        expect_eq(reassign(c, "t", {i: [1] for i in range(PIECES)}), {}, "refusals")
        start = time.monotonic()
        finished(c)
        free = time.monotonic() - start
        print(f"  {side}: {took:.1f} s for {SECONDS} s worth of bytes; without throttle {free:.1f} s")
        expect(SECONDS / 1.2 <= took <= SECONDS * 1.2 + 3 * free, f"{took:.1f} s instead of {SECONDS}, and {free:.1f} s")


@test
def a_throttle_that_is_lifted_holds_nothing_back():
    with Cluster() as c:
        c.create("t", [[1]] * PIECES, min_insync_replicas=1)
        fill(c, "t")
        set_config(c, BROKER, "", leader_replication_throttled_rate=1000, follower_replication_throttled_rate=1000)
        set_config(c, TOPIC, "t", leader_replication_throttled_replicas="*", follower_replication_throttled_replicas="*")
        expect_eq(reassign(c, "t", {i: [2] for i in range(PIECES)}), {}, "refusals")
        time.sleep(2)
        expect_eq(len(reassignments(c)), PIECES, "under way")
        set_config(c, BROKER, "", leader_replication_throttled_rate=None, follower_replication_throttled_rate=None)
        finished(c)     # at its rate it would take hours


@test
def a_throttled_leader_keeps_to_its_rate():
    throttled("leader", ",".join(f"{i}:{2 + i % 2}" for i in range(PIECES)))


@test
def a_throttled_follower_keeps_to_its_rate():
    throttled("follower", "*")


if __name__ == "__main__":
    main()
