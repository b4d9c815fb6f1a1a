"""Checks of a site before it is operated: smoke checks of plants, and the doctor."""
