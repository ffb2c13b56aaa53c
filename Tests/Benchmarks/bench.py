"""The servers that workloads share. Each is started when the first workload asks for it, and all end together."""

import contextlib
import functools
import os
import sys

import peers
import rig

CORES = os.cpu_count()


class Bench:
    """A run: its options, its folder, the program under test, and the servers that are up."""

    def __init__(self, options, binary, folder):
        self.options, self.binary, self.folder = options, binary, folder
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    @functools.cached_property
    def nginx(self):
        return self.stack.enter_context(rig.Nginx(self.folder))

    @functools.cached_property
    def taibai(self):
        """Level sealed."""
        return self.fresh("sealed")

    @functools.cached_property
    def bare(self):
        """Level process."""
        return self.stack.enter_context(rig.Taibai(self.binary, self.folder / "process", "process"))

    def fresh(self, name):
        """A server of its own for one workload, in the folder of that name."""
        return self.stack.enter_context(rig.Taibai(self.binary, self.folder / name))

    @functools.cached_property
    def peer_folder(self):
        return peers.install(self.folder) if self.options.peers else None

    @functools.cached_property
    def peers(self):
        """All of them by name; none unless they are wanted."""
        names = peers.NAMES if self.peer_folder else ()
        return {name: self.stack.enter_context(peers.Peer(self.peer_folder, name, CORES)) for name in names}

    def say(self, text):
        """What is being measured, for whoever waits."""
        print(f"{text} …", file=sys.stderr)
