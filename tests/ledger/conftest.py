"""Makes the words of `ledger_rows` importable: tests are no package here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
