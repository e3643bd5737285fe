"""Where panels turn red: the thresholds of the alerts, in the units of the panels."""

API_LATENCY_SECONDS = 0.5
ERROR_RATIO = 0.05
MODEL_LATENCY_SECONDS = 0.1
CONFIDENCE = 0.6
CPU_PERCENT = 80.0
MEMORY_RATIO = 0.85
MEMORY_AVAILABLE_BYTES = 512 * 1024**2
LOG_LAG_SECONDS = 60.0
OUTBOX_RATIO = 0.8
DRIFT_CHECK_SECONDS = 1800  # of checks as often as they are by default
DRIFT_SCORE = 0.1
