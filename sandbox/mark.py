"""The variable by which the processes of a sandbox are found in the process table."""

import os

# Its value is the sandbox's folder, a colon and the part's name.
VARIABLE = "SLIPWAY_SANDBOX_PART"


def inherited() -> dict[str, str]:
    """This process's mark, for a child that gets no other variable of this process."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}
