"""Ablations: a grid of settings as branches of one run, over seeds, and the table they make."""
