"""The trail as a file: one module per format, each with `SUFFIX`, `MEDIA_TYPE`, `HEADER`, `COLUMNS` and `line(row)`."""

from . import csv, jsonl

FORMATS = {"jsonl": jsonl, "csv": csv}
