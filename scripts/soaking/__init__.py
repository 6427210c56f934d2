"""The parts of `scripts/soak`: what is asked, what goes wrong meanwhile, and the audit afterwards."""
