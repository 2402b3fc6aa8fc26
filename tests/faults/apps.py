from django.apps import AppConfig


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        """Django is complete now, and no work has begun."""
        from . import points

        points.shorten_times()
        points.install()
