"""`python -m comd_dashboard [PORT [ADDRESS]]`: what `comd dashboard` becomes."""

import sys

from comd_dashboard.launch import ADDRESS, PORT, run
from comd_platform.errors import ComdError

port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
address = sys.argv[2] if len(sys.argv) > 2 else ADDRESS
try:
    run(port, address)
except ComdError as error:
    sys.exit(f"error: {error.message}\n  {error.hint}" if error.hint else f"error: {error.message}")
