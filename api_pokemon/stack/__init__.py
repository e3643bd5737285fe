"""Operating the monitoring stack from outside: its configuration, its programs, and what they tell."""

from api_pokemon.stack.alertmanager import AlertmanagerClient, AlertmanagerStatus, RoutedAlert
from api_pokemon.stack.configuration import AlertRule, Pace, alert_rules
from api_pokemon.stack.deliveries import Delivery, DeliveryReceiver
from api_pokemon.stack.prometheus import ActiveAlert, PrometheusClient, Rule, Sample, Target
from api_pokemon.stack.running import RunningStack, need_running_stack, running_stack

__all__ = [
    "ActiveAlert",
    "AlertRule",
    "AlertmanagerClient",
    "AlertmanagerStatus",
    "Delivery",
    "DeliveryReceiver",
    "Pace",
    "PrometheusClient",
    "RoutedAlert",
    "Rule",
    "RunningStack",
    "Sample",
    "Target",
    "alert_rules",
    "need_running_stack",
    "running_stack",
]
