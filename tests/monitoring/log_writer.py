"""A worker that does nothing but write to the log: ``python -m tests.monitoring.log_writer URL START BATCHES SIZE``.

It migrates the log, then writes batch after batch of the same events as every other one, from the one with that number
on, each in an order of its own, and says after each which it was.
"""

import random
import sys

from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.logged_events import entries, outcome_at, prediction_at

if __name__ == "__main__":
    url = sys.argv[1]
    start, batches, size = map(int, sys.argv[2:])
    log = PredictionLog(connect(url), looked_up=("attacker",))
    log.migrate()
    for batch in range(start, start + batches):
        predictions = [prediction_at(batch, number, request={"attacker": "écho"}) for number in range(size)]
        outcomes = [outcome_at(batch + 1, made, happened=True, number=n) for n, made in enumerate(predictions)]
        batch_entries = entries([*predictions, *outcomes], 1 + batch * 2 * size)
        random.shuffle(batch_entries)
        log.write(batch_entries, keep_offsets=True)
        print(batch, flush=True)
