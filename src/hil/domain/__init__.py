"""Pure decisions and values: no asyncio, clock, file, socket, log or random."""
