"""What happened, to be read: where a run stands and what it did, without the content of its documents."""

from django.contrib import admin

from orchestrator.models import Booked, Decision, Document, Effect, Hold, Incident, LedgerEntry, Run, Task

from .recorded import ReadOnlyAdmin


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["id", "version", "status", "subject", "started_by", "started_at", "ended_at"]
    list_filter = ["status", "version__workflow"]
    list_select_related = ["version__workflow", "started_by"]
    search_fields = ["id", "subject", "business_key"]
    ordering = ["-started_at", "-id"]
    exclude = ["input", "control"]


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ["step", "run", "kind", "status", "attempts", "fence", "ready_at", "lease_until", "ended_at"]
    list_filter = ["status", "kind", "lane"]
    search_fields = ["id", "run__id", "step"]
    ordering = ["-id"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "step", "actor_kind", "actor", "verdict", "confidence", "run"]
    list_filter = ["actor_kind", "verdict"]
    search_fields = ["id", "run__id"]
    ordering = ["-made_at", "-id"]
    exclude = ["output", "corrections", "evidence", "trace"]


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    list_display = ["kind", "business_key", "state", "klass", "attempts", "ref", "authorised_at", "ended_at"]
    list_filter = ["state", "kind", "connector"]
    search_fields = ["id", "run__id", "key", "business_key"]
    ordering = ["-authorised_at"]
    exclude = ["payload"]


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = ["opened_at", "kind", "detail", "run", "resolved_at", "resolved_by", "resolution"]
    list_filter = ["kind", ("resolved_at", admin.EmptyFieldListFilter)]
    list_select_related = ["resolved_by"]
    search_fields = ["id", "run__id"]


@admin.register(Booked)
class BookedAdmin(ReadOnlyAdmin):
    list_display = ["kind", "business_key", "ref", "key", "noted_at"]
    search_fields = ["key", "business_key", "ref"]


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ["scope", "value", "reason", "pulled_by", "pulled_at", "released_by", "released_at"]
    list_select_related = ["pulled_by", "released_by"]
    ordering = ["-pulled_at"]


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ["name", "media_type", "size", "pages", "state", "uploaded_by", "uploaded_at"]
    list_filter = ["state", "media_type"]
    list_select_related = ["uploaded_by"]
    search_fields = ["id", "sha256", "name"]
    ordering = ["-uploaded_at"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["ref", "kind", "business_key", "booked_at"]
    search_fields = ["key", "business_key"]
