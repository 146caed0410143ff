"""The command line of the jobs, for spark-submit.

    spark-submit … topsell_spark_main.py --lake s3://shop/lake rank --window 150h --all-items
"""

import argparse
import json
import sys

from topsell_spark import program
from topsell_spark.jobs import Job

HELP = """\
rank [OPTIONS]           publish a ranking; the options of `topsell rank plan`, --all-items, --catalog, --catalog-map
rollup [OPTIONS]         bring the aggregates up to date; the options of `topsell rollup plan`
ingest INPUT… [OPTIONS]  load logs, such as s3://raw/purchases; the options of `topsell ingest`
verify                   check all data
"""


def arguments():
    parser = argparse.ArgumentParser(
        prog="topsell_spark_main.py", epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lake", required=True, help="directory that all hosts share, or s3://BUCKET/PREFIX")
    parser.add_argument("--parts", type=int, help="about how many tasks each stage has [default: four for each core]")
    parser.add_argument("--report", help="file to write what each step and task took to, as JSON")
    parser.add_argument("job", choices=["rank", "rollup", "ingest", "verify"])
    parser.add_argument("options", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main():
    typed = arguments()
    from pyspark import SparkConf, SparkContext

    spark = SparkContext.getOrCreate(SparkConf().setIfMissing("spark.app.name", f"topsell {typed.job}"))
    job = Job(spark, typed.lake, typed.parts)
    try:
        code = getattr(job, typed.job)(typed.options) or 0
    except program.Failed as failed:
        sys.stderr.write(f"{failed.said}\n")
        code = failed.code
    finally:
        if typed.report:
            with open(typed.report, "w") as out:
                json.dump(job.took, out, indent=1)
        spark.stop()
    return code
