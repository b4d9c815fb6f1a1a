"""Emulated plants: physical models behind a register bank."""
