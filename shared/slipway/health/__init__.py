"""Whether a service is healthy, and what repairs it: probe, assessment, policy, steps."""
