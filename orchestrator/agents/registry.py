"""Every agent by name. Modules that define agents are listed in settings.AGENT_MODULES."""

from importlib import import_module

from django.conf import settings

from .base import Agent

_agents: dict[str, Agent] = {}


class UnknownAgent(LookupError):
    def __init__(self, name: str):
        super().__init__(f"agent: {name!r} is not registered; known are {', '.join(sorted(_agents)) or 'none'}")


def add(agent: Agent) -> None:
    _agents[agent.name] = agent


def load() -> None:
    """Imports the modules of settings.AGENT_MODULES; each registers its agents."""
    for module in settings.AGENT_MODULES:
        import_module(module)


def get(name: str) -> Agent:
    if name not in _agents:
        load()
    try:
        return _agents[name]
    except KeyError:
        raise UnknownAgent(name) from None


def all_agents() -> dict[str, Agent]:
    load()
    return dict(_agents)
