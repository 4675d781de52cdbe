"""A pipeline of three stages in a process of its own, to be killed: `pipeline.py ROOT COUNTS PACE CRASH_AT`.

The second stage is resumable. Every start of a build appends its name to the file COUNTS. PACE is a pause in
seconds. With CRASH_AT >= 0 the process kills itself with SIGKILL just before that file operation in ROOT; at the
end it lists them all, one per line.
"""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

from evoscope.store import Node, Stage, Store

ROOT, COUNTS, PACE, CRASH_AT = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
operations = []


def crash(event, arguments):
    """Count file operations in the store, and die at the chosen one."""
    watched = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.scandir")
    if event in watched and str(arguments[0]).startswith(str(ROOT)):
        if len(operations) == CRASH_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        operations.append(f"{event} {arguments[0]}")


def count(name):
    with open(COUNTS, "a") as file:
        file.write(f"{name}\n")


def noise(*names):
    """64 kB that only the names decide."""
    block = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return block * 2048


def draw(folder, inputs, progress):
    count("draw")
    for part in range(4):
        (folder / f"part-{part}.bin").write_bytes(noise("draw", part))
        time.sleep(PACE)


def train(folder, inputs, progress):
    """One file per epoch, each decided by the one before; goes on after the last whole one."""
    count("train")
    state = (inputs["images"] / "part-0.bin").read_bytes()
    for epoch in range(5):
        path = folder / f"epoch-{epoch}.bin"
        if not path.exists():
            time.sleep(PACE)
            whole = folder / "unfinished"
            whole.write_bytes(hashlib.sha256(state).digest() * 2048)
            whole.rename(path)
        state = path.read_bytes()


def look(folder, inputs, progress):
    count("look")
    for name in ("images", "network"):
        (folder / name).mkdir()
        for path in sorted(inputs[name].glob("*.bin")):
            (folder / name / path.name).write_bytes(path.read_bytes()[::-1])
            time.sleep(PACE / 4)


sys.addaudithook(crash)
images = Node(Stage("draw", 1), {"parts": 4}, {}, draw, seed=0)
network = Node(Stage("train", 1), {"epochs": 5}, {"images": images}, train, seed=1, resumable=True)
Store(ROOT).get(Node(Stage("look", 1), {}, {"images": images, "network": network}, look, seed=2))
sys.stdout.write("\n".join(operations))
