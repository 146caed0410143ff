"""Copies results of bench.py into the documentation.

    python tests/bench/publish.py FOLDER/results.json PAGE.md PICTURES

Replaces what is between the two marks of the page, and draws the pictures into a folder.
"""

import json
import sys
from pathlib import Path

import picture
import report

BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->\n"


def put_between_marks(text, page):
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} lacks the marks {BEGIN.strip()} and {END.strip()}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    results, page, pictures = map(Path, sys.argv[1:])
    measured = json.loads(results.read_text())
    put_between_marks(report.for_docs(measured), page)
    picture.draw(measured, pictures)
