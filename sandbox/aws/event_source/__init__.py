"""Lambda's Kafka event source for LocalStack: Amazon MSK and self-managed clusters.

The rules are AWS's, each in a small module without I/O: `filters`, `batching`, `responses`,
`retries`, `progress`, `failures`. `poller` and `partition` are the threads that apply them, on
confluent-kafka and the AWS calls in `collaborators`; `plugin` ties them to LocalStack.
"""
