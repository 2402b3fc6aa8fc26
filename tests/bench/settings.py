"""The product's settings, plus the trivial agents the measured workflows are made of."""

from orchestrator.settings import *  # noqa: F403

AGENT_MODULES = [*AGENT_MODULES, "tests.engine_agents"]  # noqa: F405
