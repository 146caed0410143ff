"""The question that every peer answers, and the names of the peers.

Each module here is one peer and has the same five functions, from a source to an output:

    partition(logs, out)     CSV logs into Hive partitions category x date x hour of Parquet, one
                             row for each event and top-level category that it belongs to
    ingest_ndjson(logs, out) the same from NDJSON, whose categories are arrays of paths
    rank_raw(hourly, out)    the decayed top 100 of every leaf path and of the whole shop, from
                             one Parquet file of events an hour
    rank_rollups(lake, out)  the same, from topsell's own files of hourly sums
    units(hourly, out)       units by leaf path, item and day, from one Parquet file an hour

A ranking has the columns leaf (null for the shop), item_id, score and units. Sums are taken
by item and set of paths first and spread over the paths afterwards: that is the fastest order
in all four peers, and no less exact.
"""

PEERS = ["duckdb", "polars", "chdb", "datafusion"]

# The window: 150 hours, the newest the one that ends here.
END_HOUR = 1_704_607_200 // 3600
WINDOW_HOURS = 150
START = "2024-01-01 00:00:00"
END = "2024-01-07 06:00:00"
HALF_LIFE_HOURS = 48
TOP = 100

# What a peer may be told to keep within, below what it is stopped at.
MEMORY_GIB = 7
