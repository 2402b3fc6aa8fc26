"""Pages of the trail."""

from django.urls import path

from . import views

app_name = "audit"
urlpatterns = [
    path("", views.explorer, name="explorer"),
    path("export/", views.export, name="export"),
    path("<uuid:pk>/", views.one_record, name="record"),
]
