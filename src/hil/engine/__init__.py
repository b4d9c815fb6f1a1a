"""The running engine: one owner task a plant, its commands, board and recorder."""
