#!/usr/bin/python3
"""cuts.py - the network between nodes is cut, one way or both; nothing acknowledged is lost, and after
healing all is whole again.

Every node lives in a network namespace of its own, joined by a bridge in a namespace of this test.  A
cut from a to b is a neighbour entry of b in a's namespace that leads nowhere: packets vanish and
nobody is told.
"""
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.clients import producer, send, send_ok, values
from lib.cluster import BUILD, Cluster, end_process, expect, expect_eq, main, test, wait_for
from lib.history import Load, equal_replicas

SECONDS = float(os.environ.get("CHAOS_SECONDS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
HERE, BOSS = 254, 101
CONF = {"broker.session.timeout.ms": 1500, "broker.heartbeat.interval.ms": 200}
BROKER = {**CONF, "replica.lag.time.max.ms": 1500, "replica.socket.timeout.ms": 1500}


def sh(cmd, check=True):
    return subprocess.run(["sh", "-ec", cmd], check=check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)


def enter_namespace():
    """Runs this program again inside namespaces of its own; False where that is not allowed."""
    if os.environ.get("WEIR_CUTS") == "inside":
        sh("mount -t tmpfs run /run; ip link set lo up; ip link add br0 type bridge; ip link set br0 up;"
           f"ip addr add 10.99.0.{HERE}/24 dev br0")
        for node in (1, 2, 3, BOSS):
            sh(f"ip netns add w{node}; ip link add v{node} type veth peer name eth0 netns w{node};"
               f"ip link set v{node} master br0 up; ip -n w{node} addr add 10.99.0.{node}/24 dev eth0;"
               f"ip -n w{node} link set eth0 up; ip -n w{node} link set lo up")
        return True
    probe = sh("unshare -n -m sh -ec 'mount -t tmpfs run /run; ip link add br0 type bridge; ip netns add w;"
               "ip link add v type veth peer name eth0 netns w; ip -n w neigh help 2>/dev/null || true'", check=False)
    if probe.returncode:
        print(f"SKIP cuts {probe.stdout.strip().splitlines()[-1:]}")
        return False
    os.environ["WEIR_CUTS"] = "inside"
    os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv])


class Split(Cluster):
    """A cluster whose nodes have addresses of their own."""

    def __enter__(self):
        self.nodes = {}
        for node in (BOSS, 1, 2, 3):
            role = "controller" if node == BOSS else "broker"
            d = os.path.join(self.dir, f"{role}-{node}")
            os.makedirs(os.path.join(d, "data"))
            listener = "CONTROLLER" if node == BOSS else "PLAINTEXT"
            conf = {"node.id": node, "log.dirs": f"{d}/data", "listeners": f"{listener}://10.99.0.{node}:9092",
                    "controller.quorum.bootstrap.servers": f"10.99.0.{BOSS}:9092", **(CONF if node == BOSS else BROKER)}
            with open(f"{d}/{role}.properties", "w") as f:
                f.writelines(f"{k}={v}\n" for k, v in conf.items())
            self.nodes[node] = {"id": node, "role": role, "dir": d, "log": f"{d}/{role}.log",
                                "address": f"10.99.0.{node}:9092"}
            self.start(node)
        self.brokers = {n: v for n, v in self.nodes.items() if n != BOSS}
        self.bootstrap = ",".join(v["address"] for v in self.brokers.values())
        for node in self.brokers:
            wait_for(lambda n=node: "unfenced" in self.log_text(n), 20, f"broker {node}")
        return self

    def start(self, node):
        n = self.nodes[node]
        with open(n["log"], "ab") as log:
            n["process"] = subprocess.Popen(
                ["ip", "netns", "exec", f"w{node}", os.path.join(BUILD, f"weir-{n['role']}"),
                 os.path.join(n["dir"], n["role"] + ".properties")], stdout=log, stderr=log)
        n["pid"] = n["process"].pid

    def restart(self, node):
        end_process(self.nodes[node]["pid"])
        self.nodes[node]["process"].wait()
        self.start(node)

    def __exit__(self, kind, value, tb):
        self.heal()
        for n in self.nodes.values():
            n["process"].terminate()
        for n in self.nodes.values():
            try:
                n["process"].wait(20)
            except subprocess.TimeoutExpired:
                end_process(n["pid"])
        super().__exit__(kind, value, tb)

    def cut(self, a, b, both=True):
        for x, y in ((a, b), (b, a)) if both else ((a, b),):
            sh(f"ip -n w{x} neigh replace 10.99.0.{y} lladdr 02:00:00:00:00:99 dev eth0 nud permanent")

    def heal(self):
        for x in self.nodes:
            for y in self.nodes:
                if x != y:
                    sh(f"ip -n w{x} neigh del 10.99.0.{y} dev eth0", check=False)


def start(c, topic="t"):
    c.create(topic, [[1, 2, 3]], min_insync_replicas=2)
    send_ok(producer(c), topic, b"0.0.")


def load(c):
    c.create("l", [[1, 2, 3], [2, 3, 1], [3, 1, 2]], min_insync_replicas=2)
    return Load(c, "l", partitions=3, rate=800, socket_timeout_ms=3000)


@test
def a_follower_is_cut_off_from_its_leader():
    with Split() as c:
        with load(c) as l:
            l.progress(200)
            c.cut(1, 3)
            wait_for(lambda: sorted(c.partition("l", 0)["isr"]) == [1, 2], 20, "the follower out of the ISR")
            l.progress(200)
            c.heal()
            c.wait_isr("l", [1, 2, 3])
            l.progress(200)
        print(f"    longest gap {l.longest_gap * 1000:.0f} ms")
        l.check()


@test
def a_follower_hears_its_leader_no_more():
    """One way only: requests arrive, answers do not."""
    with Split() as c:
        with load(c) as l:
            l.progress(200)
            c.cut(1, 3, both=False)
            wait_for(lambda: 3 not in c.partition("l", 0)["isr"], 20, "the follower out of the ISR")
            l.progress(200)
            c.heal()
            c.wait_isr("l", [1, 2, 3])
        l.check()


@test
def a_leader_is_cut_off_from_the_controller():
    with Split() as c:
        start(c)
        zombie = producer(c, acks=1, bootstrap_servers=c.nodes[1]["address"], message_timeout_ms=2000,
                          topic_metadata_refresh_interval_ms=-1)
        send_ok(zombie, "t", b"1.")
        with load(c) as l:
            l.progress(200)
            c.cut(1, BOSS)
            wait_for(lambda: c.json("partitions", "list", "t", "-b", c.nodes[2]["address"])["items"][0]["leader"]
                     not in (1, -1), 20, "another leader")
            l.progress(300)
            for _ in range(5):
                send(zombie, "t", b"of a zombie", seconds=3)
            send_ok(producer(c, enable_idempotence=True, bootstrap_servers=c.nodes[2]["address"] + "," +
                             c.nodes[3]["address"]), "t", b"2.")
            c.heal()
            c.wait_isr("t", [1, 2, 3])
            l.progress(200)
        print(f"    longest gap {l.longest_gap * 1000:.0f} ms")
        got = values(c, "t")
        expect_eq([v for v in got if v != b"of a zombie"], [b"0.0.", b"1.", b"2."], "records")
        equal_replicas(c, "t")
        l.check()


@test
def a_zombie_leader_acknowledges_nothing_to_all():
    """Cut off from everybody but its clients, a leader takes acks=all records that it must not confirm."""
    with Split() as c:
        start(c)
        zombie = producer(c, bootstrap_servers=c.nodes[1]["address"], message_timeout_ms=4000, retries=0,
                          enable_idempotence=False)
        send_ok(zombie, "t", b"1.")
        for node in (2, 3, BOSS):
            c.cut(1, node)
        outs = [send(zombie, "t", b"zombie %d" % i, seconds=6) for i in range(2)]
        new = producer(c, bootstrap_servers=c.nodes[2]["address"] + "," + c.nodes[3]["address"])
        wait_for(lambda: not send(new, "t", b"2.", seconds=5).error, 30, "the other two to go on")
        outs.append(send(zombie, "t", b"zombie 9", seconds=6))
        c.heal()
        c.wait_isr("t", [1, 2, 3])
        got = values(c, "t")
        for i, out in enumerate(outs):
            if out.done and not out.error:
                expect(any(v.startswith(b"zombie") for v in got), f"zombie record {i} was acknowledged and is lost")
        equal_replicas(c, "t")
        expect(got[:2] == [b"0.0.", b"1."] and b"2." in got, f"records {got}")


@test
def random_cuts():
    rnd = random.Random(SEED)
    print(f"    seed {SEED}", flush=True)
    with Split() as c:
        with load(c) as l:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                for _ in range(rnd.choice([1, 1, 2, 3])):
                    a, b = rnd.sample([1, 2, 3, BOSS], 2)
                    c.cut(a, b, both=rnd.random() < 0.6)
                time.sleep(rnd.choice([0.3, 1, 2.5]))
                if rnd.random() < 0.3:
                    node = rnd.choice([1, 2, 3, BOSS])
                    c.restart(node)
                c.heal()
                time.sleep(rnd.choice([0.1, 1]))
            l.progress(300)
        print(f"    {l.n_acked} acknowledged, longest gap {l.longest_gap * 1000:.0f} ms")
        l.check()


if __name__ == "__main__":
    if enter_namespace():
        main()
