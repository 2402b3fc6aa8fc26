from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReviewsConfig(AppConfig):
    name = "reviews"
    verbose_name = _("Reviews")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from orchestrator.glossary import name_models

        from . import glossary, permissions, preferences

        permissions.register()
        name_models(self, glossary.MODELS, glossary.FIELDS)
        user_logged_in.connect(preferences.remember_language, dispatch_uid="language")
