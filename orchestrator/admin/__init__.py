"""The admin: configuration is edited and every change of it recorded; what happened is read and never edited."""

from django.contrib import admin

from orchestrator.words import later as _

from . import people, policies, runs, sources, webhooks, workflows

__all__ = ["people", "policies", "runs", "sources", "webhooks", "workflows"]

admin.site.site_header = admin.site.site_title = "Countersign"
admin.site.index_title = _("Configuration")
