"""``python -m b24nb`` is the command ``b24nb``."""

from b24nb.cli import main

raise SystemExit(main())
