#!/usr/bin/python3
"""acks.py - what each acks level and min.insync.replicas promise, told with real processes."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, read_all, send, send_ok, values
from lib.cluster import Cluster, expect, expect_eq, main, test, wait_for

# Followers that are paused must stay in the ISR for the length of a story.
PATIENT = {"conf": {"replica.lag.time.max.ms": 60000}, "controller_conf": {"broker.session.timeout.ms": 60000}}


def unread(pid, port):
    """Bytes that wait in the process's sockets to that port."""
    files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    return sum(int(r[4].split(":")[1], 16) for r in rows
               if r[2].endswith(":%04X" % port) and f"socket:[{r[9]}]" in files)


def deafen(c, leader, followers):
    """The followers stand still, and no request of theirs is left at the leader: its next record would be
    the answer, which they would take from their sockets by and by."""
    port = int(c.nodes[leader]["address"].rsplit(":", 1)[1])
    for node in followers:
        pid = c.nodes[node]["pid"]

        def is_answered(node=node, pid=pid):
            c.pause(node)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                if unread(pid, port):
                    return True
                time.sleep(0.02)
            c.resume(node)      # between two requests, then
            return False
        wait_for(is_answered, 30, f"an answer of broker {leader} that broker {node} does not read")


def refused(cluster, topic, value):
    """An acks=all record that must be refused with NOT_ENOUGH_REPLICAS, not merely time out."""
    p = producer(cluster, retries=0, message_timeout_ms=20000)
    out = send(p, topic, value)
    expect(out.done and out.error is not None, f"{value!r} was acknowledged below min.insync.replicas")
    expect("NOT_ENOUGH_REPLICAS" in out.error.name(), f"{value!r}: {out.error.name()}, not NOT_ENOUGH_REPLICAS")


def kill_followers_one_by_one(rf, min_isr):
    """While at least min_isr replicas are in sync acks=all is acknowledged; below it is refused
    before anything is written, and acks=1 is still taken."""
    with Cluster() as c:
        replicas = [1, 2, 3][:rf]
        c.create("t", [replicas], min_insync_replicas=min_isr)
        want = [b"m0"]
        p = producer(c)
        send_ok(p, "t", b"m0")
        alive = list(replicas)
        for victim in replicas[1:]:
            c.kill(victim)
            alive.remove(victim)
            c.wait_isr("t", alive)
            value = f"without {victim}".encode()
            if len(alive) >= min_isr:
                send_ok(p, "t", value)
                want.append(value)
                continue
            refused(c, "t", value)
            # acks=1 is the leader's word alone; readers see it only when the ISR is back.
            value += b", acks=1"
            send_ok(producer(c, acks=1), "t", value)
            want.append(value)
        for victim in replicas[1:]:
            c.restart(victim)
        c.wait_isr("t", replicas)
        send_ok(p, "t", b"whole again")
        want.append(b"whole again")
        expect_eq(values(c, "t"), want, "records")


@test
def rf2_min1_followers_killed():
    kill_followers_one_by_one(2, 1)


@test
def rf2_min2_followers_killed():
    kill_followers_one_by_one(2, 2)


@test
def rf3_min1_followers_killed():
    kill_followers_one_by_one(3, 1)


@test
def rf3_min2_followers_killed():
    kill_followers_one_by_one(3, 2)


def leader_dies_before_replication(acks):
    """M1..M3 are everywhere; both followers stand still while M4 reaches the leader, which dies."""
    with Cluster(**PATIENT) as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        p = producer(c, acks=acks, message_timeout_ms=3000 if acks == "all" else 30000)
        every = producer(c)
        for m in (b"M1", b"M2"):
            send_ok(every, "t", m)
        send_ok(p, "t", b"M3")      # p knows the leader before two brokers fall silent
        send_ok(every, "t", b"M3a")
        deafen(c, 1, (2, 3))
        m4 = send(p, "t", b"M4", seconds=10)
        c.kill(1)
        c.resume(2)
        c.resume(3)
        leader = c.wait_leader("t", other_than=1)
        expect(leader in (2, 3), f"leader {leader}")
        send_ok(producer(c), "t", b"M5")
        return m4, values(c, "t")


@test
def acks_1_loses_m4_when_the_leader_dies_before_replication():
    m4, got = leader_dies_before_replication(acks=1)
    expect(m4.done and not m4.error, f"M4 was not acknowledged: {m4.error}")
    expect_eq(got, [b"M1", b"M2", b"M3", b"M3a", b"M5"], "records")


@test
def acks_all_does_not_acknowledge_what_it_would_lose():
    m4, got = leader_dies_before_replication(acks="all")
    expect(not m4.done or m4.error, "M4 was acknowledged although no follower had it")
    expect_eq([v for v in got if v != b"M4"], [b"M1", b"M2", b"M3", b"M3a", b"M5"], "records")


def retry_after_the_leaders_death(idempotent):
    """The record reaches one follower, its acknowledgement never leaves: the client sends again."""
    with Cluster(**PATIENT) as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        p = producer(c, enable_idempotence=idempotent)
        send_ok(p, "t", b"before")
        before = len(c.log_bytes(2, "t"))
        c.pause(3)
        done = []
        p.produce("t", value=b"once", partition=0, on_delivery=lambda e, m: done.append(e))
        p.poll(0)
        wait_for(lambda: (p.poll(0.01), len(c.log_bytes(2, "t")) > before)[1], 10, "the record on broker 2")
        expect(not done, "acknowledged while broker 3, in the ISR, did not have it")
        c.kill(1)
        c.resume(3)
        wait_for(lambda: (p.poll(0.05), done)[1], 30, "an answer to the record sent again")
        expect(done[0] is None, f"the record sent again failed: {done[0]}")
        return values(c, "t")


@test
def without_idempotence_a_retry_after_the_leaders_death_duplicates():
    expect_eq(retry_after_the_leaders_death(False), [b"before", b"once", b"once"], "records")


@test
def with_idempotence_a_retry_after_the_leaders_death_does_not_duplicate():
    expect_eq(retry_after_the_leaders_death(True), [b"before", b"once"], "records")


@test
def returning_leader_truncates_to_the_epoch_boundary():
    with Cluster(**PATIENT) as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=2)
        for m in (b"M1", b"M2", b"M3"):
            send_ok(producer(c), "t", m)
        deafen(c, 1, (2, 3))
        for m in (b"lost1", b"lost2"):
            send_ok(producer(c, acks=1), "t", m)
        c.kill(1)
        c.resume(2)
        c.resume(3)
        c.wait_leader("t", other_than=1)
        send_ok(producer(c), "t", b"M4")
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        send_ok(producer(c), "t", b"M5")
        expect_eq(values(c, "t"), [b"M1", b"M2", b"M3", b"M4", b"M5"], "records")
        logs = [wait_for(lambda n=n: c.log_bytes(n, "t"), 5, "a log") for n in (1, 2, 3)]
        wait_for(lambda: len({c.log_bytes(n, "t") for n in (1, 2, 3)}) == 1, 10, "byte-equal logs")
        expect(b"lost1" not in logs[0], "the old leader kept what only it had")
        expect("truncat" in c.log_text(1), "broker 1 did not say that it truncated")


@test
def unclean_election_is_refused_by_default_and_counted_when_allowed():
    with Cluster() as c:
        c.create("t", [[1, 2]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"both have it")
        c.kill(2)
        c.wait_isr("t", [1])
        send_ok(producer(c), "t", b"only 1 has it")
        c.kill(1)
        wait_for(lambda: c.partition("t")["leader"] == -1, 15, "no leader")
        c.restart(2)
        out = send(producer(c, message_timeout_ms=3000), "t", b"nobody may take it", seconds=10)
        expect(not out.done or out.error, "acknowledged without a clean leader")
        expect_eq(c.partition("t")["leader"], -1, "leader by default")
        c.weir("configs", "set", "topics/t", "unclean.leader.election.enable=true")
        expect_eq(c.wait_leader("t"), 2, "leader once allowed")
        send_ok(producer(c), "t", b"after")
        c.restart(1)
        c.wait_isr("t", [1, 2])
        expect_eq([m.value() for m in read_all(c, "t")], [b"both have it", b"after"], "records")
        expect("unclean" in c.log_text(next(i for i, n in c.nodes.items() if n["role"] == "controller")),
               "the controller did not log the unclean election")


if __name__ == "__main__":
    main()
