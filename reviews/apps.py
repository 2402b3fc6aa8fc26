from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "reviews"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from . import permissions, preferences

        permissions.register()
        user_logged_in.connect(preferences.remember_language, dispatch_uid="language")
