"""Pages of the desk."""

from django.urls import path

from . import views, views_case, views_desk, views_snooze

urlpatterns = [
    path("queue/", views.queue, name="queue"),
    path("queue/next/", views.take_next, name="queue-next"),
    path("cases/<uuid:task>/", views_case.case, name="case"),
    path("cases/<uuid:task>/peek/", views.peek, name="case-peek"),
    path("cases/<uuid:task>/claim/", views_case.claim, name="case-claim"),
    path("cases/<uuid:task>/snooze/", views_snooze.snooze, name="case-snooze"),
    path("cases/<uuid:task>/wake/", views_snooze.wake, name="case-wake"),
    path("cases/<uuid:task>/release/", views_case.release, name="case-release"),
    path("cases/<uuid:task>/draft/", views_case.draft, name="case-draft"),
    path("cases/<uuid:task>/decide/", views_case.decide, name="case-decide"),
    path("cases/<uuid:task>/beat/", views_desk.beat, name="case-beat"),
    path("cases/<uuid:task>/take-over/", views_desk.take_over, name="case-take-over"),
    path("cases/<uuid:task>/hand-over/", views_desk.hand_over, name="case-hand-over"),
    path("cases/<uuid:task>/recommendation/", views_desk.recommendation, name="case-recommendation"),
    path("cases/<uuid:task>/comment/", views_desk.comment, name="case-comment"),
    path("cases/<uuid:task>/attach/", views_desk.attach, name="case-attach"),
    path("cases/<uuid:task>/reopen/", views_desk.reopen, name="case-reopen"),
    path("cases/<uuid:task>/answer/", views_case.answer, name="case-answer"),
    path("decisions/<uuid:pk>/undo/", views_case.undo, name="undo"),
    path("me/", views.me, name="me"),
    path("notices/", views.notices, name="notices"),
    path("notices/read/", views.read_notices, name="notices-read"),
    path("insights/", views.insights, name="insights"),
    path("help/keys/", views.keys, name="keys"),
]
