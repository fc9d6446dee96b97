"""What stands around an attempt, one concern a module."""
