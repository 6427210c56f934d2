"""What `scripts/doctor` looks at: one module for each outside system."""
