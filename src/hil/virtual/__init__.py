"""Virtual time: the loop, the in-memory link."""
