"""`python -m comd_dashboard [PORT [ADDRESS]]`: what `comd dashboard` becomes."""

import sys

from comd_dashboard.launch import ADDRESS, PORT, run

port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
address = sys.argv[2] if len(sys.argv) > 2 else ADDRESS
run(port, address)
