#!/usr/bin/python3
"""quorum.py - three controllers and three brokers: controllers die, stand still, lose their disks."""
import json
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from lib.cluster import PATIENCE, Cluster, Failed, expect, expect_eq, is_alive, main, test, wait_for
from lib.history import Load
from lib.wire import add_voter, describe_quorum, remove_voter

SECONDS = float(os.environ.get("CHAOS_SECONDS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
KILLS = int(os.environ.get("QUORUM_KILLS", "5"))


def controllers(c):
    return [i for i, n in c.nodes.items() if n["role"] == "controller"]


def quorum(c, check=True):
    """Empty while nobody answers."""
    text = c.weir("quorum", "describe", "-o", "json", check=check).stdout
    return {m["id"]: m for m in json.loads(text)["items"]} if text else {}


def leader(c):
    """The active controller, once all brokers' controller knows one."""
    def found():
        return next((i for i, m in quorum(c, check=False).items() if m["role"] == "leader"), None)
    return wait_for(found, 15, "a leading controller")


def caught_up(c, want):
    def ok():
        q = quorum(c, check=False)
        return set(q) == set(want) and all(m["lag"] == 0 for m in q.values())
    wait_for(ok, 20, f"controllers {want} to have the whole log")


def topics(c):
    return sorted(t["topic"] for t in c.json("topics", "list")["items"])


@test
def the_active_controller_is_killed_again_and_again():
    """Every topic that was created is there, the producer notices nothing, each kill has a new leader."""
    with Cluster(controllers=3) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        made = []
        with Load(c, "t", partitions=3) as load:
            for n in range(KILLS):
                victim = leader(c)
                c.kill(victim)
                began = time.monotonic()
                c.weir("topics", "create", f"k{n}", "-p", "2")
                gap = time.monotonic() - began
                made.append(f"k{n}")
                expect(leader(c) != victim, "the dead one leads")
                c.restart(victim)
                caught_up(c, controllers(c))
                load.progress(50)
                print(f"    topic created {gap * 1000:.0f} ms after the kill of {victim}")
        load.check()
        expect_eq([t for t in topics(c) if t.startswith("k")], made, "topics")
        c.weir("metadata", "log", "dump")


@test
def who_asked_is_not_refused_for_what_was_done():
    """The active controller dies while topics are created, and while they are deleted: each request
    succeeds, also when the broker had to ask the next controller for what the last one had done."""
    with Cluster(controllers=3) as c:
        admin = AdminClient({"bootstrap.servers": c.bootstrap})
        dice = random.Random(SEED)
        print(f"    seed {SEED}")
        for n in range(min(KILLS, 3)):
            names = [f"d{n}-{i}" for i in range(40)]
            for ask in (lambda name: admin.create_topics([NewTopic(name, 1, 3)])[name],
                        lambda name: admin.delete_topics([name])[name]):
                victim = leader(c)
                waiting = [ask(name) for name in names]
                time.sleep(dice.uniform(0, 0.03))
                c.kill(victim)
                for answer in waiting:
                    answer.result()
                c.restart(victim)
                caught_up(c, controllers(c))
        expect_eq(topics(c), [], "topics")


@test
def without_a_majority_data_flows_and_decisions_wait():
    with Cluster(controllers=3) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            load.progress(100)
            stays = next(i for i in controllers(c) if i != leader(c))
            dead = [i for i in controllers(c) if i != stays]
            for i in dead:
                c.kill(i)
            load.progress(200)
            at = c.nodes[stays]["address"]
            # It may have been elected between the two kills, and takes a moment to see that it is alone.
            # What it is asked until then may or may not happen.
            wait_for(lambda: c.weir("quorum", "describe", "--controller", at, check=False).returncode == 1,
                     10, "the last one to give up")
            refused = c.weir("topics", "create", "waits", "--controller", at, "--timeout", "2", check=False)
            expect(refused.returncode != 0, "a topic was created by a minority")
            expect("majority" in refused.stderr and str(dead[0]) in refused.stderr, f"it says: {refused.stderr}")
            expect(c.weir("topics", "list", "--controller", at, check=False).returncode == 0, "no look at a standby")
            try:
                admin = AdminClient({"bootstrap.servers": c.bootstrap})
                admin.create_topics([NewTopic("told", 1, 3)], operation_timeout=2,
                                    request_timeout=10)["told"].result()
                raise Failed("a broker found a controller")
            except KafkaException as e:
                expect("majority" in str(e), f"a client is told: {e}")
            c.restart(dead[0])
            c.weir("topics", "create", "goes", "--timeout", "20")
            load.progress(100)
            c.restart(dead[1])
            caught_up(c, controllers(c))
        load.check()
        expect(load.longest_gap < 10 * PATIENCE, f"producers waited {load.longest_gap:.1f} s")
        expect("waits" not in topics(c), "what was refused happened")


@test
def a_wiped_disk_watches_until_it_is_given_a_vote():
    with Cluster(controllers=3) as c:
        c.create("t", min_insync_replicas=2)
        victim = next(i for i in controllers(c) if i != leader(c))
        before = quorum(c)[victim]["directory_id"]
        c.kill(victim)
        shutil.rmtree(os.path.join(c.dir, f"controller-{victim}", "data"))
        c.restart(victim)
        def watches():
            return any(m["id"] == victim and m["role"] == "observer" and m["directory_id"] != before
                       for m in quorum(c, check=False).values())
        wait_for(watches, 15, "the new disk to follow")
        told = c.weir("cluster", "health", check=False)
        expect(told.returncode == 1 and f"quorum remove-voter {victim} --yes" in told.stdout, told.stdout)
        again = c.weir("quorum", "add-voter", str(victim), "--timeout", "2", check=False)
        expect(again.returncode != 0, "two disks of one controller vote")
        c.weir("quorum", "remove-voter", str(victim), "--yes")
        c.weir("quorum", "add-voter", str(victim))
        expect_eq(quorum(c)[victim]["role"], "voter", "the new disk")
        health = c.json("cluster", "health", "--until-healthy", "3s", check=False)
        expect_eq((health["verdict"], health["silent_controllers"]), ("HEALTHY", []), "who votes with a new disk")
        # It counts: with it and one other there is a majority.
        other = next(i for i in controllers(c) if i not in (victim, leader(c)))
        c.kill(other)
        c.weir("topics", "create", "u")
        c.restart(other)
        caught_up(c, controllers(c))


@test
def votes_are_taken_and_given_through_kafkas_api():
    INCONSISTENT_CLUSTER_ID, DUPLICATE_VOTER, VOTER_NOT_FOUND = 104, 126, 127
    with Cluster(controllers=3) as c:
        lead, voters, _ = describe_quorum(c)
        expect_eq(set(voters), set(controllers(c)), "voters")
        victim = next(i for i in voters if i != lead)
        old = voters[victim]
        c.kill(victim)
        shutil.rmtree(os.path.join(c.dir, f"controller-{victim}", "data"))
        c.restart(victim)
        new = wait_for(lambda: describe_quorum(c)[2].get(victim), 15, "the new disk to follow")
        expect_eq(add_voter(c, victim, new)[0], DUPLICATE_VOTER, "two disks of one controller")
        expect_eq(remove_voter(c, victim, new)[0], VOTER_NOT_FOUND, "the vote of a disk that has none")
        expect_eq(remove_voter(c, 999, old)[0], VOTER_NOT_FOUND, "the vote of nobody")
        expect_eq(remove_voter(c, victim, old, cluster_id=b"another")[0], INCONSISTENT_CLUSTER_ID, "a stranger")
        expect_eq(remove_voter(c, victim, old), (0, None), "the lost disk's vote")
        expect_eq(victim in describe_quorum(c, broker=2)[1], False, "it votes")
        expect_eq(add_voter(c, victim, old, timeout_ms=500)[0] != 0, True, "the lost disk was given a vote")
        expect_eq(add_voter(c, victim, new, broker=2), (0, None), "the new disk's vote")
        expect_eq(describe_quorum(c, broker=3)[1].get(victim), new, "the new disk")
        # Leaders come and go as well: the one that leads gives up its own vote.
        lead = leader(c)
        expect_eq(remove_voter(c, lead, describe_quorum(c)[1][lead]), (0, None), "the leader's own vote")
        wait_for(lambda: leader(c) != lead, 10, "another leader")
        wait_for(lambda: lead in describe_quorum(c)[2], 10, "the old leader to watch")
        directory = describe_quorum(c)[2][lead]
        expect_eq(add_voter(c, lead, directory, version=0), (0, None), "its vote again")
        c.weir("topics", "create", "t")
        caught_up(c, controllers(c))


@test
def who_has_forgotten_its_votes_does_not_start():
    with Cluster(controllers=3) as c:
        victim = next(i for i in controllers(c) if i != leader(c))
        caught_up(c, controllers(c))
        c.kill(victim)
        for folder, _, files in os.walk(os.path.join(c.dir, f"controller-{victim}", "data")):
            if "quorum-state" in files:
                os.remove(os.path.join(folder, "quorum-state"))
        c.weir("local", "restart", str(victim), check=False)
        wait_for(lambda: "quorum-state is missing" in c.log_text(victim), 10, "a refusal in words")
        c.refresh()
        expect_eq(c.nodes[victim]["state"], "down", f"controller {victim}")


@test
def leadership_moves_on_request():
    with Cluster(controllers=3) as c:
        for _ in range(3):
            to = next(i for i in controllers(c) if i != leader(c))
            c.weir("quorum", "transfer-leader", str(to))
            wait_for(lambda: leader(c) == to, 5, f"controller {to} to lead")
            c.weir("topics", "create", f"by-{to}-{time.monotonic_ns()}")


@test
def an_active_controller_that_is_asked_to_stop_hands_over():
    """No election is waited for: the next one leads before the process ends, and nobody is fenced."""
    with Cluster(controllers=3) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            for n in range(3):
                old, pid = leader(c), c.nodes[leader(c)]["pid"]
                os.kill(pid, signal.SIGTERM)
                began = time.monotonic()
                c.weir("topics", "create", f"s{n}", "-p", "2")
                print(f"    topic created {(time.monotonic() - began) * 1000:.0f} ms after {old} was asked to stop")
                wait_for(lambda pid=pid: not is_alive(pid), 5, f"controller {old} to end")
                text = c.log_text(old)
                expect("another controller is to be active first" in text and "not active any more" in text,
                       f"controller {old} ended as the active one")
                c.restart(old)
                caught_up(c, controllers(c))
                load.progress(50)
        load.check()
        expect_eq(c.json("cluster", "health")["fenced"], [], "fenced brokers")


@test
def a_leader_that_stood_still_changes_nothing_afterwards():
    with Cluster(controllers=3) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            for _ in range(2):
                old = leader(c)
                epoch = c.json("cluster", "health")["controller_epoch"]
                c.pause(old)
                began = time.monotonic()
                c.weir("topics", "create", f"while-{old}-{epoch}", timeout=30)
                print(f"    topic created {(time.monotonic() - began) * 1000:.0f} ms after {old} was stopped")
                expect(leader(c) != old, "the sleeper leads")
                c.resume(old)
                caught_up(c, controllers(c))
                expect(c.json("cluster", "health")["controller_epoch"] > epoch, "no new epoch")
                load.progress(50)
        load.check()
        expect_eq(c.json("cluster", "health")["fenced"], [], "fenced brokers")


@test
def anything_is_killed_at_random():
    rnd = random.Random(SEED)
    print(f"    seed {SEED}", flush=True)
    with Cluster(controllers=3) as c:
        c.create("t", partitions=3, min_insync_replicas=2)
        with Load(c, "t", partitions=3) as load:
            end, n = time.monotonic() + SECONDS, 0
            while time.monotonic() < end:
                victims = rnd.sample(list(c.nodes), rnd.choice([1, 1, 2, 3]))
                for v in victims:
                    c.kill(v)
                time.sleep(rnd.choice([0, 0.05, 0.3]))
                c.weir("local", "up", timeout=60)
                c.refresh()
                n += 1
            load.progress(100)
        print(f"    {n} blows, {load.n_acked} acknowledged, longest gap {load.longest_gap * 1000:.0f} ms")
        load.check()
        caught_up(c, controllers(c))


@test
def everything_stops_and_starts_again():
    with Cluster(controllers=3) as c:
        c.create("t", partitions=2, min_insync_replicas=2)
        with Load(c, "t", partitions=2) as load:
            load.progress(100)
            for node in list(c.nodes):
                c.kill(node)
            c.weir("local", "up", timeout=60)
            c.refresh()
            load.progress(100)
        load.check()
        caught_up(c, controllers(c))


if __name__ == "__main__":
    main()
