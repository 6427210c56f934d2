"""Values that the stack's variables accept and refuse: one file per `terraform/variables*.tf`."""
