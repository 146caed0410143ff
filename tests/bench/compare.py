"""Checks topsell's ranking against the peer's.

    python compare.py PEER.parquet SNAPSHOT

SNAPSHOT is a snapshot's .parquet, or the current.json that names it. Only the shop and the
categories that topsell ranked over the same window as the peer are held together; those it
looked further back for are counted and left alone. In each, both must list the same items
with the same units, purchases and amount, scores within 1e-9 of one another, and the same
number of rankable items. Items whose scores lie that close to the last one listed may stand
in for each other. Exits 1 with the first differences.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet

CLOSE = 1e-9
EXACT = ["units", "purchases", "amount", "rankable"]


def read(path):
    """window end, and category -> (window start, item -> row)"""
    path = Path(path)
    if path.suffix == ".json":
        path = path.parent / json.loads(path.read_text())["file"]
    starts, items, ends = {}, defaultdict(dict), set()
    columns = ["category", "item_id", "score", "window_from", "window_to", *EXACT]
    for row in pyarrow.parquet.read_table(path, columns=columns).to_pylist():
        starts[row["category"]] = row["window_from"]
        ends.add(row["window_to"])
        items[row["category"]][row["item_id"]] = row
    return ends, starts, items


def near(one, two):
    return abs(one - two) <= CLOSE * max(abs(one), abs(two))


def differences(name, peer, ours):
    if len(peer) != len(ours):
        yield f"{name}: {len(ours)} items, the peer lists {len(peer)}"
    last = min(row["score"] for row in peer.values())
    for item in sorted(peer.keys() ^ ours.keys()):
        row = peer.get(item) or ours[item]
        if not near(row["score"], last):
            yield f"{name}: {item} only in the {'peer' if item in peer else 'snapshot'}"
    for item in sorted(peer.keys() & ours.keys()):
        one, two = peer[item], ours[item]
        if not near(one["score"], two["score"]):
            yield f"{name}: {item} scores {two['score']}, by the peer {one['score']}"
        for column in EXACT:
            if one[column] != two[column]:
                yield f"{name}: {item} has {column} {two[column]}, by the peer {one[column]}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    (peer_ends, peer_starts, peer), (ends, starts, ours) = read(sys.argv[1]), read(sys.argv[2])
    found = []
    if peer_ends != ends:
        found.append(f"windows end at {sorted(ends)}, the peer's at {sorted(peer_ends)}")
    same_window = [name for name in starts if starts[name] == peer_starts.get(name)]
    # Whatever the peer could rank at all is in the snapshot, over this window or a longer one.
    found += [f"{name}: only in the peer" for name in peer_starts if name not in starts]
    if None not in same_window:
        found.append("the whole shop is not ranked over the peer's window")
    for name in same_window:
        found += differences(name or "the shop", peer[name], ours[name])
    print(f"{len(same_window)} categories compared (the shop among them),", end=" ")
    print(f"{len(starts) - len(same_window)} ranked over a longer window left alone")
    for line in found[:20]:
        print(line)
    if found:
        sys.exit(f"{len(found)} differences")
    print("compare: ok")


if __name__ == "__main__":
    main()
