"""A worker that does nothing but jobs: ``python -m tests.monitoring.job_worker URL KINDS OPTIONS``, both as JSON.

It stops when standard input closes.
"""

import json
import logging
import sys

from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.job_runner import JobRunner
from api_pokemon.monitoring.jobs import JobKind, Jobs

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(process)d %(asctime)s %(name)s %(message)s")
    url, kinds, options = sys.argv[1:]
    runner = JobRunner(Jobs(connect(url)), [JobKind(**kind) for kind in json.loads(kinds)], **json.loads(options))
    runner.start()
    sys.stdin.read()
    runner.stop()
