"""Runs AWS's runtime client in a function's process, and ends it when the sandbox is gone.

Started as a script by the functions' own interpreter: it may import nothing but the standard
library. Arguments: the file descriptor of a pipe that closes when the sandbox ends; the handler.
"""

import os
import runpy
import signal
import sys
import threading


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    parent = int(sys.argv.pop(1))
    # What the function starts must not have it.
    os.set_inheritable(parent, False)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
