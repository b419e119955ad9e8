"""A lock on an open file, between processes: fcntl's flock, or msvcrt on Windows; it ends with its holder."""

import os
import sys

if sys.platform == "win32":
    import msvcrt

    def take(file: int) -> bool:
        """Lock the descriptor `file` without waiting; False while somebody else has it. OSError where locks fail."""
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def give(file: int) -> None:
        """Give the lock back."""
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def take(file: int) -> bool:
        """Lock the descriptor `file` without waiting; False while somebody else has it. OSError where locks fail."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give(file: int) -> None:
        """Give the lock back."""
        fcntl.flock(file, fcntl.LOCK_UN)
