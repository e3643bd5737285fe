"""What runs, and whether all that was answered is kept: processes, prediction log, stream, jobs, machines."""

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.models import dashboard as models

from dashboards.frame import frame, instance, job, variable
from dashboards.host import host_panels
from dashboards.jobs import job_panels
from dashboards.prediction_log import log_panels
from dashboards.processes import process_panels


def service_health() -> models.Dashboard:
    return frame(
        "service-health",
        "What runs, and is all that was answered kept? Processes, prediction log, stream, jobs, and the machines.",
        variables=[
            job(".*"),
            instance(),
            variable("node", "Machine", "A machine, by its node-exporter.", "label_values(node_uname_info, instance)"),
        ],
        components=["system", "worker", "log", "stream"],
        parts=[
            Row("Processes"),
            *process_panels(),
            Row("Prediction log: is all that was answered kept?"),
            *log_panels(),
            Row("Stream and jobs"),
            *job_panels(),
            Row("Machines (node-exporter)"),
            *host_panels(),
        ],
    )
