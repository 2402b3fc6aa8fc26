"""The trail as a file. A module per format has `SUFFIX`, `MEDIA_TYPE`, `HEADER`, `COLUMNS` and `encode(rows)`."""

from . import csv, jsonl

FORMATS = {"jsonl": jsonl, "csv": csv}
