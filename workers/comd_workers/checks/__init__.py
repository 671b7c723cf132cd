"""What can be known before a run begins: of a config, and of a machine."""
