"""The hil command."""
