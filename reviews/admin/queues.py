"""Queues, their policies and levels, to be edited; reviews and answers, to be read."""

from typing import Any

from django.contrib import admin

from orchestrator.admin.granting import GrantingAdmin
from orchestrator.admin.recorded import ReadOnlyAdmin, RecordedAdmin

from ..models import Approval, Queue, ReasonCode, Review, ReviewLevel, ReviewPolicy


class LevelInline(admin.TabularInline):
    model = ReviewLevel
    extra = 0


class CodeInline(admin.TabularInline):
    model = ReasonCode
    extra = 0


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(RecordedAdmin):
    list_display = ["name", "quorum", "undo_seconds", "sla_minutes", "max_rounds", "recommendation", "blind"]
    inlines = [LevelInline, CodeInline]

    def described(self, policy: ReviewPolicy) -> dict[str, Any]:
        levels = policy.levels.select_related("group")
        return {
            **super().described(policy),
            **{f"level {row.group.name}": {"position": row.position, "above": str(row.above)} for row in levels},
            **{
                f"reason {row.verdict} {row.code}": {"words": row.words, "position": row.position, "on": row.is_active}
                for row in policy.codes.all()
            },
        }


@admin.register(Queue)
class QueueAdmin(RecordedAdmin, GrantingAdmin):
    """Who may see, decide and send elsewhere is edited under "Object permissions"."""

    event = "queue.changed"
    list_display = ["title", "name", "policy", "escalates_to"]
    list_select_related = ["policy", "escalates_to"]


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ["title", "queue", "status", "round", "level", "opened_at", "due_at", "settled_at"]
    list_filter = ["status", "queue"]
    list_select_related = ["queue"]
    search_fields = ["number", "vendor", "title"]
    ordering = ["-opened_at"]
    exclude = ["control", "barred"]  # who may not answer would tell which ones were planted


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ["at", "review", "level", "reviewer", "verdict", "reason"]
    list_filter = ["verdict"]
    list_select_related = ["review", "reviewer"]
    ordering = ["-at"]
