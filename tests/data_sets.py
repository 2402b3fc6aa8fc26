"""Where the public documents with known answers lie. They are not part of the project; tests without them skip."""

import os
from pathlib import Path

DATA = Path(os.environ.get("COUNTERSIGN_DATA", Path(__file__).parents[2] / "shared/data"))
