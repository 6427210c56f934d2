"""Port on one machine: its REST API on SQLite, its messages on Kafka.

Where Port's behaviour is documented, this server does the same, with the same error codes. What it
does not carry out it refuses by name. The routes under `/_sandbox/` are its own: faults, raw
messages, health.
"""
