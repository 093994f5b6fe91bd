"""``python -m flows.cli``: the ``chrombpnet`` command line."""

import sys

from flows.cli.main import main

sys.exit(main())
