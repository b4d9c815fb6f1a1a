"""The configuration file: its models, its loading and its problems in words."""
