from .access import ApiToken
from .document import Document, DocumentPage
from .handed_over import HandedOver
from .ledger import Connector, ConnectorCheck, LedgerEntry
from .policy import Policy, PolicyRule, PolicyVersion
from .run import Booked, Decision, Effect, Heartbeat, Hold, Incident, Run, RunDocument, Task, Wait
from .webhook import Connection, Hook, HookDelivery, WebhookDelivery, WebhookEndpoint
from .workflow import AgentAccount, ControlEntry, DataSource, ExchangeRate, SourceRow, Workflow, WorkflowVersion

__all__ = [
    "AgentAccount",
    "ApiToken",
    "Booked",
    "Connection",
    "Connector",
    "ConnectorCheck",
    "ControlEntry",
    "DataSource",
    "Decision",
    "Document",
    "DocumentPage",
    "Effect",
    "ExchangeRate",
    "HandedOver",
    "Heartbeat",
    "Hold",
    "Hook",
    "HookDelivery",
    "Incident",
    "LedgerEntry",
    "Policy",
    "PolicyRule",
    "PolicyVersion",
    "Run",
    "RunDocument",
    "SourceRow",
    "Task",
    "Wait",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Workflow",
    "WorkflowVersion",
]
