"""What each action wants done, as plain data: nothing here does I/O."""
