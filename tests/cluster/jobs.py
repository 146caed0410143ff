"""Checks the job files for clusters without a cluster: the step of EMR against the API's own model, and the DAG.

    jobs.py JOBS

The DAG is parsed by Airflow where Airflow is installed; otherwise only by Python, with the names that it uses.
"""

import ast
import importlib.util
import json
import pathlib
import sys


def check_emr(path):
    import botocore.session
    import botocore.validate

    model = botocore.session.get_session().get_service_model("emr")
    shape = model.operation_model("AddJobFlowSteps").input_shape
    steps = json.loads(path.read_text())

    def report(steps):
        parameters = {"JobFlowId": "j-1", "Steps": steps}
        return botocore.validate.ParamValidator().validate(parameters, shape).generate_report()

    if report(steps):
        sys.exit(f"{path}: {report(steps)}")
    # A validator that accepts anything would accept this, too.
    if not report([{"Name": 1}]):
        sys.exit(f"{path}: a wrong step was accepted")


def check_dag(path):
    tree = ast.parse(path.read_text(), str(path))
    compile(tree, str(path), "exec")
    if importlib.util.find_spec("airflow"):
        from airflow.models import DagBag

        bag = DagBag(str(path.parent), include_examples=False)
        if bag.import_errors or not bag.dags:
            sys.exit(f"{path}: {bag.import_errors}")
        print(f"{path}: Airflow reads {', '.join(bag.dags)}")
    else:
        print(f"{path}: Airflow is not installed; Python reads it")


def main():
    jobs = pathlib.Path(sys.argv[1])
    check_emr(jobs / "emr-step.json")
    for path in sorted((jobs / "airflow").glob("*.py")):
        check_dag(path)


main()
