"""`python -m comd_workers` is `comd`."""

from comd_workers.cli import main

main()
