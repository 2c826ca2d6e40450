"""Indexes kept from run to run, for sets that take hours to build."""

import hashlib
import json
import os
import shutil


class Kept:
    """The place of one index: of a library in one version, built in one way over the same vectors."""

    def __init__(self, folder, peer, version, build, data):
        # An index is not told from another by all of its vectors: reading them takes long, and their number, dimension
        # and last change tell sets apart that anybody would mix up.
        base = os.stat(os.path.join(data.path, "base.fbin"))
        vectors = [data.name, data.metric, data.rows, data.dim, base.st_size, base.st_mtime_ns]
        key = json.dumps([peer, version, build, vectors], sort_keys=True)
        self.path = os.path.join(folder, f"{peer}-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
        self.index = os.path.join(self.path, "index")

    def measured(self):
        """What was measured when it was built; None if it is not there."""
        try:
            with open(os.path.join(self.path, "measured.json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def write(self, save, measured):
        """Has `save` write the index to a path; what was measured comes last, so that what broke off is not found."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(self.path)
        save(self.index)
        with open(os.path.join(self.path, "measured.json"), "w", encoding="utf-8") as file:
            json.dump(measured, file)
