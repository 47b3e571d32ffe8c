#!/usr/bin/python3
"""chaos.py - brokers and the controller die, stand still and come back under load; nothing is lost."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send_ok, values
from lib.cluster import PATIENCE, Cluster, expect, expect_eq, main, test, wait_for
from lib.history import Load, equal_replicas
from lib.wire import produce_later

NOT_LEADER_OR_FOLLOWER = 6
SECONDS = float(os.environ.get("CHAOS_SECONDS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
QUICK = {"controller_conf": {"broker.session.timeout.ms": 1500, "broker.heartbeat.interval.ms": 200},
         "conf": {"broker.session.timeout.ms": 1500, "broker.heartbeat.interval.ms": 200,
                  "replica.lag.time.max.ms": 2000}}


def dice():
    print(f"seed {SEED}", flush=True)
    return random.Random(SEED)


def storm(c, load, seconds, step):
    """step() again and again, with the load going on between the blows."""
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        step()
        n += 1
    load.progress(100)
    return n


def controller_of(c):
    return next(i for i, n in c.nodes.items() if n["role"] == "controller")


@test
def brokers_are_killed_at_random():
    rnd = dice()
    with Cluster() as c:
        c.create("t", partitions=3, min_insync_replicas=2, segment_bytes=1048576)
        with Load(c, "t", partitions=3) as load:
            def blow():
                victims = rnd.sample([1, 2, 3], rnd.choice([1, 1, 1, 2, 3]))
                for v in victims:
                    c.kill(v)
                time.sleep(rnd.choice([0, 0, 0.05, 0.3]))
                for v in victims:
                    c.restart(v)
                time.sleep(rnd.choice([0, 0.2, 0.5]))
            n = storm(c, load, SECONDS, blow)
        print(f"    {n} blows, {load.n_acked} acknowledged, longest gap {load.longest_gap * 1000:.0f} ms")
        load.check()


@test
def brokers_stand_still_longer_than_their_session():
    rnd = dice()
    with Cluster(**QUICK) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            def blow():
                victims = rnd.sample([1, 2, 3], rnd.choice([1, 1, 2]))
                for v in victims:
                    c.pause(v)
                time.sleep(rnd.choice([0.1, 1, 2.2]))
                for v in victims:
                    c.resume(v)
                time.sleep(rnd.choice([0, 0.3]))
            n = storm(c, load, SECONDS, blow)
        print(f"    {n} pauses, {load.n_acked} acknowledged, longest gap {load.longest_gap * 1000:.0f} ms")
        load.check()


@test
def a_leader_that_stands_still_for_a_second_keeps_its_place():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        before = c.partition("t")
        with Load(c, "t") as load:
            load.progress(100)
            c.pause(1)
            time.sleep(1)
            c.resume(1)
            load.progress(100)
        load.check()
        expect_eq(c.partition("t")["leader_epoch"], before["leader_epoch"], "leader epoch")
        expect_eq(c.json("cluster", "health")["fenced"], [], "fenced brokers")


@test
def a_leader_that_slept_past_its_session_takes_no_late_writes():
    """They wait in its sockets while it stands still, and it reads them before it hears of its successor.
    With acks=1 it would take them, as Kafka does, and lose them: one replica is all that asks for."""
    with Cluster(**QUICK) as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        send_ok(producer(c), "t", b"before")
        batch = c.log_bytes(1, "t")
        c.pause(1)
        late = [produce_later(c, "t", batch, acks) for acks in (-1, -1)]
        c.wait_leader("t", other_than=1)
        send_ok(producer(c, enable_idempotence=True), "t", b"meanwhile")
        c.resume(1)
        for answer in late:
            expect_eq(answer(), NOT_LEADER_OR_FOLLOWER, "the answer to a late write")
        c.wait_isr("t", [1, 2, 3])
        expect_eq(values(c, "t"), [b"before", b"meanwhile"], "records")
        equal_replicas(c, "t")


@test
def the_controller_dies_and_stands_still():
    rnd = dice()
    with Cluster(**QUICK) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        boss = controller_of(c)
        with Load(c, "t", partitions=3) as load:
            def blow():
                victim = rnd.choice([0, 0, 1, 2, 3])
                if rnd.random() < 0.3:
                    c.pause(boss)
                    time.sleep(rnd.choice([0.2, 2]))
                    c.resume(boss)
                else:
                    c.kill(boss)
                    if victim:
                        c.kill(victim)
                    time.sleep(rnd.choice([0, 0.3, 1]))
                    c.restart(boss)
                    if victim:
                        c.restart(victim)
                time.sleep(rnd.choice([0.1, 0.5]))
            n = storm(c, load, SECONDS, blow)
        print(f"    {n} blows, {load.n_acked} acknowledged, longest gap {load.longest_gap * 1000:.0f} ms")
        load.check()


@test
def all_brokers_die_at_once():
    with Cluster() as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3, read=False) as load:
            for _ in range(3):
                load.progress(500)
                for node in c.brokers:
                    c.kill(node)
                for node in c.brokers:
                    c.restart(node)
            load.progress(500)
        load.check()


@test
def rolling_restarts_are_not_noticed():
    with Cluster() as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3, message_timeout_ms=20000) as load:
            for _ in range(2):
                for node in sorted(c.brokers):
                    c.weir("local", "restart", str(node), timeout=60)
                    for n in range(3):
                        c.wait_isr("t", [1, 2, 3], n)
                    load.progress(50)
            c.refresh()
        print(f"    longest gap {load.longest_gap * 1000:.0f} ms")
        load.check()
        for node in c.brokers:
            text = c.log_text(node)
            expect_eq(text.count("broker stopped"), text.count("clean=1"), f"clean stops of broker {node}")
            expect("recovered partition" not in text and "partition recovered" not in text,
                   f"broker {node} recovered after a clean stop")


@test
def everything_is_told_to_stop_at_once():
    """As an operating system does when it goes down: brokers do not wait for a controller that went first."""
    with Cluster() as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3, read=False, rate=200) as load:
            load.progress(100)
            for node in [controller_of(c), *c.brokers]:
                os.kill(c.nodes[node]["pid"], signal.SIGTERM)
            # Less than controlled.shutdown.timeout.ms, however slow the programs are.
            wait_for(lambda: all(n["state"] == "down" for n in
                                 c.json("local", "status", check=False)["items"]), 15 / PATIENCE, "everything to stop")
            expect(all("clean=1" in c.log_text(n) for n in c.brokers), "not every broker stopped cleanly")
            c.weir("local", "up", timeout=60)
            c.refresh()
            load.progress(100)
        load.check()


if __name__ == "__main__":
    main()
