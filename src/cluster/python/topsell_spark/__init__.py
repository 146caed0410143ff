"""Best-seller rankings by Apache Spark: each task runs `topsell` on its share of the lake.

The driver plans, merges and publishes; tasks rank, aggregate, load or check their parts, and read and write the lake
themselves. What a part is and how results are merged is decided by `topsell` alone; this package starts it.
"""
