"""Pages of the desk."""

from django.urls import path

from . import views, views_bulk, views_case, views_desk, views_insights, views_queue, views_saved, views_snooze

urlpatterns = [
    path("queue/", views_queue.queue, name="queue"),
    path("queue/news/", views_queue.news, name="queue-news"),
    path("queue/bulk/", views_bulk.choose, name="bulk"),
    path("queue/bulk/act/", views_bulk.act, name="bulk-act"),
    path("queue/bulk/<uuid:batch>/undo/", views_bulk.undo, name="bulk-undo"),
    path("queue/views/", views_saved.save, name="view-save"),
    path("queue/views/<int:pk>/", views_saved.rename, name="view-rename"),
    path("queue/views/<int:pk>/delete/", views_saved.delete, name="view-delete"),
    path("queue/next/", views_queue.take_next, name="queue-next"),
    path("cases/<uuid:task>/", views_case.case, name="case"),
    path("cases/<uuid:task>/peek/", views_queue.peek, name="case-peek"),
    path("cases/<uuid:task>/claim/", views_case.claim, name="case-claim"),
    path("cases/<uuid:task>/snooze/", views_snooze.snooze, name="case-snooze"),
    path("cases/<uuid:task>/wake/", views_snooze.wake, name="case-wake"),
    path("cases/<uuid:task>/release/", views_case.release, name="case-release"),
    path("cases/<uuid:task>/draft/", views_case.draft, name="case-draft"),
    path("cases/<uuid:task>/targets/<slug:verdict>/", views_case.targets, name="case-targets"),
    path("cases/<uuid:task>/decide/", views_case.decide, name="case-decide"),
    path("cases/<uuid:task>/beat/", views_desk.beat, name="case-beat"),
    path("cases/<uuid:task>/take-over/", views_desk.take_over, name="case-take-over"),
    path("cases/<uuid:task>/hand-over/", views_desk.hand_over, name="case-hand-over"),
    path("cases/<uuid:task>/recommendation/", views_desk.recommendation, name="case-recommendation"),
    path("cases/<uuid:task>/comment/", views_desk.comment, name="case-comment"),
    path("cases/<uuid:task>/attach/", views_desk.attach, name="case-attach"),
    path("cases/<uuid:task>/reopen/", views_desk.reopen, name="case-reopen"),
    path("cases/<uuid:task>/answer/", views_case.answer, name="case-answer"),
    path("toast/", views_case.last_act, name="toast"),
    path("decisions/<uuid:pk>/undo/", views_case.undo, name="undo"),
    path("decisions/<uuid:pk>/reversal/", views_case.reversal, name="reversal"),
    path("me/", views.me, name="me"),
    path("notices/", views.notices, name="notices"),
    path("notices/read/", views.read_notices, name="notices-read"),
    path("insights/", views_insights.insights, name="insights"),
    path("help/keys/", views.keys, name="keys"),
]
