"""Trackers that training metrics are handed on to: one file each, behind one small port."""
