from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class OrchestratorConfig(AppConfig):
    name = "orchestrator"
    verbose_name = _("Workflows and their runs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, glossary  # noqa: F401  checks registers itself

        for app in (apps.get_app_config("audit"), self):
            glossary.name_models(app, glossary.MODELS, glossary.FIELDS)
