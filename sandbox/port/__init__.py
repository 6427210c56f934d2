"""Port on one machine: its REST API on SQLite, its messages on Kafka.

Where Port's behaviour is documented, this server does the same, with the same error codes. What it
does not carry out it refuses by name. The routes under `/_sandbox/` are its own: faults, raw
messages, health.

Where Port's documentation is silent, this server chooses, so that a client that copes with it copes
with Port too:

- A PATCH of a finished run is refused with 422 `run_exhausted`; `--run-exhausted lax` takes it.
- One decline ends a run, even with the strategy ALL. The organisation's own credentials decide
  alone. Without listed approvers, the administrators are the approvers.
- The `state` of an approver is PENDING, APPROVED or DECLINED; the audit log's key is `audits`.
- Records have no key, topics one partition, messages are compact JSON as JavaScript writes it.
- An action of type KAFKA without a payload sends the older, fixed message.
- Changes of runs are in the change log as `resourceType: run`, without `changelogDestination`.
- `x-ratelimit-reset` is in seconds from now.
- An input that is not visible is never required, but taken if it is there.
"""
