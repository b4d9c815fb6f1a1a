"""The garbage collector of a live process."""

import gc

from hil.adapters.garbage import THRESHOLDS, settle


def test_what_is_there_is_not_walked_again_and_what_comes_is_seldom() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        settle()
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > frozen
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
