"""The sweep: finds runs that nothing works on any more, and ends them or starts them again."""
