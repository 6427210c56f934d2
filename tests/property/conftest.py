"""How property tests run."""

import os

from hypothesis import settings

# One slow example says nothing on a busy machine; pytest's time-out bounds the test as a whole.
# A merge must not fail by a draw: CI always draws the same examples, contributors draw new ones.
settings.register_profile("slipway", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("slipway")
