"""HIL Scheduler: dispatches power schedules to battery plants and records what they did."""

__version__ = "0.1.0"
