"""The parts of `scripts/soak`: requests, faults and the audit."""
