"""Every URL of Countersign."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from orchestrator.api import build, not_found
from orchestrator.health import healthz, readyz
from orchestrator.metrics import metrics
from orchestrator.pages import blocked, documents, holds, runs, start
from orchestrator.pages import hooks as incoming

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="queue", query_string=True)),
    path("", include("reviews.urls")),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<uuid:pk>/", runs.run_page, name="run"),
    path("runs/<uuid:pk>/state/", runs.run_state, name="run-state"),
    path("runs/<uuid:pk>/cancel/", runs.cancel, name="run-cancel"),
    path("incidents/<uuid:pk>/resolve/", runs.resolve, name="incident-resolve"),
    path("documents/<uuid:pk>/original/", documents.original, name="document-original"),
    path("documents/<uuid:pk>/text/", documents.text, name="document-text"),
    path("documents/<uuid:pk>/find/", documents.text, name="document-find"),
    path("documents/<uuid:pk>/p/<int:number>.webp", documents.page_image, name="document-page"),
    path("start/", start.choose, name="start"),
    path("start/<slug:name>/", start.start, name="start-workflow"),
    path("holds/", holds.holds, name="holds"),
    path("holds/<uuid:pk>/release/", holds.release, name="hold-release"),
    path("hooks/<slug:name>/", incoming.receive, name="hook"),
    path("csp/", blocked.blocked),
    path("audit/", include("audit.urls")),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/v1/", build().urls),
    path("api/v1/<path:rest>", not_found),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
