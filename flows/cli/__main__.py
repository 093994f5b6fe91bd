"""``python -m flows.cli``: the ``chrombpnet`` command line."""

import os
import sys

if sys.path[0] == os.getcwd() and not __file__.startswith(os.path.join(os.getcwd(), "")):
    del sys.path[0]  # else a tasks.py or infra.py of the user's, in the current folder, would take the place of ours

from flows.cli.main import main

sys.exit(main())
