"""A ranking each hour by Spark, for Airflow with the provider apache-airflow-providers-apache-spark.

Put the two files of `make wheel` where Spark finds them, and this file into the folder of DAGs.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

with DAG(
    dag_id="topsell_rank",
    schedule="5 * * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
) as dag:
    SparkSubmitOperator(
        task_id="rank",
        conn_id="spark_default",
        application="s3://shop/topsell/topsell_spark_main.py",
        py_files="s3://shop/topsell/topsell_spark.zip",
        # A run that is started again has the same hour, and goes on with the results that the lake has.
        application_args=[
            "--lake", "s3://shop/lake",
            "rank", "--window", "150h", "--as-of", "{{ data_interval_end.strftime('%Y-%m-%dT%H:00:00Z') }}",
        ],
        execution_timeout=timedelta(minutes=50),
    )
