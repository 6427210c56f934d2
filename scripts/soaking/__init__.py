"""The parts of `scripts/soak`: what is asked, what goes wrong, the audit."""
