"""C{python -m tcworker} is the C{tcworker} command."""

import sys

from tcworker.cli import main

sys.exit(main())
