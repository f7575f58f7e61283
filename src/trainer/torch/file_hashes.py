"""SHA-256 of weights files. One that did not change since it was hashed is not read for it again: that takes as long as loading it."""

import hashlib
import json

from protocol import write_atomically


class FileHashes:
    def __init__(self, record):
        """`record`: the file that hashes are kept in, which may be missing, or damaged."""
        self.record, self.changed = record, False
        try:
            self.known = dict(json.loads(record.read_text("utf8")))
        except (OSError, ValueError, TypeError):
            self.known = {}

    def of(self, file):
        known, facts = self.known.get(str(file)), _facts(file)
        if isinstance(known, dict) and known.get("facts") == facts:
            return known["sha256"]
        found = hash_of(file)
        if _facts(file) == facts:
            self.known[str(file)], self.changed = {"facts": facts, "sha256": found}, True
        return found

    def write(self):
        """Where something was hashed."""
        if self.changed:
            write_atomically(self.record, f"{json.dumps(self.known)}\n".encode())
            self.changed = False


def hash_of(file):
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _facts(file):
    """What changes when a file's content does, or when another takes its place."""
    facts = file.stat()
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
