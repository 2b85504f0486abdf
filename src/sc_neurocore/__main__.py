"""Run the command sc-neurocore by `python -m sc_neurocore`."""

import sys

from sc_neurocore.cli import main

sys.exit(main())
