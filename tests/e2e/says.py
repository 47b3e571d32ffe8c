#!/usr/bin/python3
"""says.py - what the programs say to people who start them wrongly, or without the rest of a cluster."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.cluster import BUILD, PATIENCE, end_process, expect, expect_eq, free_base_port, main, test, wait_for

COMPLAINTS_APART = 10


def run(program, *args):
    done = subprocess.run([os.path.join(BUILD, program), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=20 * PATIENCE)
    expect("Sanitizer" not in done.stdout, done.stdout)
    return done.returncode, done.stdout


def write(path, *lines):
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return path


def files(d, listen):
    """A controller's and a broker's, which listen there."""
    return (("weir-controller", write(f"{d}/controller.properties", "node.id=101", f"listeners=CONTROLLER://{listen}",
                                      f"metadata.log.dir={d}/controller")),
            ("weir-broker", write(f"{d}/broker.properties", "node.id=1", f"listeners=PLAINTEXT://{listen}",
                                  "controller.quorum.bootstrap.servers=127.0.0.1:1", f"log.dirs={d}/broker")))


@test
def an_address_that_cannot_be_listened_on():
    with tempfile.TemporaryDirectory() as d:
        for program, path in files(d, "192.0.2.1:9093"):
            code, out = run(program, path)
            expect_eq(code, 1, f"{program}'s exit code ({out})")
            expect("cannot listen on 192.0.2.1:9093: that is no address of this machine" in out, out)


@test
def options_are_explained():
    with tempfile.TemporaryDirectory() as d:
        for program, path in files(d, "127.0.0.1:9093"):
            expect_eq(run(program, path, "--check-config"), (0, f"{path}: ok\n"), program)
            code, out = run(program, path, "--print-config")
            expect_eq(code, 0, program)
            lines = out.splitlines()
            expect(len(lines) > 40 and all(line.startswith("# ") for line in lines[::2]), out)


@test
def a_broker_without_a_controller_says_why_again_and_again():
    with tempfile.TemporaryDirectory() as d:
        nobody = free_base_port()
        path = write(f"{d}/broker.properties", "node.id=1", "listeners=PLAINTEXT://127.0.0.1:0",
                     f"controller.quorum.bootstrap.servers=127.0.0.1:{nobody}", f"log.dirs={d}/broker")
        with open(f"{d}/log", "w") as log:
            broker = subprocess.Popen([os.path.join(BUILD, "weir-broker"), path], stdout=log, stderr=log)
        try:
            def complaints():
                with open(f"{d}/log") as f:
                    return [line for line in f if "no active controller" in line]
            wait_for(complaints, 5, "the first complaint")
            expect('why=refused' in complaints()[0] or 'why="refused"' in complaints()[0], complaints()[0])
            time.sleep(COMPLAINTS_APART / 5)
            expect_eq(len(complaints()), 1, "complaints in the first seconds")
            wait_for(lambda: len(complaints()) == 2, COMPLAINTS_APART + 5, "the second complaint")
        finally:
            end_process(broker.pid)
            broker.wait()


@test
def the_simulator_names_what_it_does_not_know():
    code, out = run("weir-sim", "--scene", "nosuch")
    expect_eq(code, 2, f"exit code ({out})")
    expect("there is no scene nosuch" in out and out.count("\n") > 20, out)
    for args, says in ((("--kill-rate", "20"), "a RATE, like 20/min"),
                       (("--set", "broker:nosuch=1"), "of an option that there is"),
                       (("--nosuch", "3"), "there is no --nosuch"),
                       (("--brokers", "1000"), "it wants 1 to "),
                       (("--seeds", "none"), "what is --seeds none")):
        code, out = run("weir-sim", *args)
        expect_eq(code, 2, f"{args} ({out})")
        expect(says in out, out)


if __name__ == "__main__":
    main()
