"""Slipway's Lambda layer: everything that its functions share."""

import os

# There are none, and the search for them takes longer than most models.
# https://docs.pydantic.dev/latest/concepts/plugins/
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
