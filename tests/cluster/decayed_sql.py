"""The decayed top 100 of every category at every level and of the shop, in Spark SQL over the table `rollups`.

    decayed_sql.py ROLLUPS PLAN OUT AS_OF

Spark has no Delta tables without further jars, so that the files are those of a plan of `topsell rank plan`.
"""

import json
import sys

TOP = 100

QUERY = f"""
WITH hourly AS (
  SELECT item_id, is_primary, categories, CAST(units AS DOUBLE) AS units,
         unix_timestamp(CAST(date AS TIMESTAMP)) + 3600 * hour AS second
  FROM rollups WHERE event_type = 'purchase'
),
scored AS (
  SELECT item_id, is_primary, categories, units,
         units * pow(2.0, -((unix_timestamp(to_timestamp('{{end}}')) - 3600 - second) / 3600.0) / 48.0) AS score
  FROM hourly WHERE second < unix_timestamp(to_timestamp('{{end}}'))
    AND second >= unix_timestamp(to_timestamp('{{end}}')) - 150 * 3600
),
levels AS (
  SELECT item_id, score, units, explode(array_distinct(flatten(transform(categories, path ->
         transform(sequence(1, size(split(path, '/'))), n -> substring_index(path, '/', n)))))) AS category
  FROM scored
  UNION ALL
  SELECT item_id, score, units, '' AS category FROM scored WHERE is_primary
),
sums AS (
  SELECT category, item_id, SUM(score) AS score, SUM(units) AS units FROM levels GROUP BY category, item_id
),
ranked AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY score DESC, units DESC, item_id) AS rank
  FROM sums WHERE score > 0 AND units > 0
)
SELECT category, rank, item_id, score, units FROM ranked WHERE rank <= {TOP}
"""


def main():
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import expr

    folder, plan, out, as_of = sys.argv[1:]
    session = SparkSession.builder.appName("decayed top 100 in Spark SQL").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    with open(plan) as file:
        files = [f"{folder}/{each['path']}" for each in json.load(file)["files"]]
    rollups = session.read.option("basePath", folder).parquet(*files)
    rollups.createOrReplaceTempView("rollups")
    end = as_of.replace("T", " ").replace("Z", "")
    session.sql(QUERY.format(end=end)).write.mode("overwrite").parquet(out)
    print(session.read.parquet(out).select(expr("count(*)")).first()[0], "rows")
    session.stop()


if __name__ == "__main__":
    main()
