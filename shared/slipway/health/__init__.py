"""Whether a service is well, and what is done when it is not: probe, verdict, policy, decisions."""
