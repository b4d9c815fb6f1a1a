"""The composition root: the parts put together, live or in virtual time."""
