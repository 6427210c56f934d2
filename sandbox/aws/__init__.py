"""AWS on one machine: LocalStack, with what it lacks for Slipway as plug-ins."""
