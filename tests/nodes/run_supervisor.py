"""A program for the tests: supervise a launch file until told to stop. Arguments: launch file, session directory. Prints the pids."""

import sys
import threading

from seesay.config import load_launch
from seesay.nodes.supervisor import Supervisor

with Supervisor(load_launch(sys.argv[1]), sys.argv[2]) as supervisor:
    supervisor.wait_ready(60)
    sys.stdout.write(" ".join(str(node.pid) for node in supervisor.nodes()) + "\n")
    sys.stdout.flush()
    threading.Event().wait()
