"""The garbage collector of a process that has to be on time."""

import gc

# Objects here die by their reference counts; a walk over what a thousand plants keep for a second
# would hold up every one of them for 20 ms, a dozen times a minute.
THRESHOLDS = (50_000, 20, 50)


def settle() -> None:
    """Walk over what is there once and never again, and over what comes seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
