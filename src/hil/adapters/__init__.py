"""What touches the world: clocks, sockets and files."""
