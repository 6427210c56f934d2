"""What the stack's variables accept and refuse, one file for each `terraform/variables*.tf`."""
