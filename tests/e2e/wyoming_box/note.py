"""An event command of a satellite: adds what it is told to a file. Usage: note.py FILE KIND < text."""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([sys.argv[2], sys.stdin.read().strip()]) + "\n")
