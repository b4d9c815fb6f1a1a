"""Recordings of any range of time: read, sealed into a cache, shown in buckets."""
