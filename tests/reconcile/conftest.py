"""Makes the short words of `reconcile_makers` importable: tests are no package here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
