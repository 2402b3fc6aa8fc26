import django.db.models.deletion
from django.db import migrations, models

from reviews.searching import words_of

POSTGRES = [
    "CREATE INDEX reviews_casewords_found ON reviews_casewords"
    " USING gin (array_to_tsvector(string_to_array(words, ' ')))"
]
SQLITE = [
    "CREATE VIRTUAL TABLE reviews_casewords_fts USING fts5(words, content='reviews_casewords', content_rowid='id',"
    " tokenize=\"unicode61 remove_diacritics 0 tokenchars ':-_'\")",
    "CREATE TRIGGER reviews_casewords_added AFTER INSERT ON reviews_casewords BEGIN"
    " INSERT INTO reviews_casewords_fts(rowid, words) VALUES (NEW.id, NEW.words); END",
    "CREATE TRIGGER reviews_casewords_gone AFTER DELETE ON reviews_casewords BEGIN"
    " INSERT INTO reviews_casewords_fts(reviews_casewords_fts, rowid, words) VALUES ('delete', OLD.id, OLD.words); END",
    "CREATE TRIGGER reviews_casewords_changed AFTER UPDATE ON reviews_casewords BEGIN"
    " INSERT INTO reviews_casewords_fts(reviews_casewords_fts, rowid, words) VALUES ('delete', OLD.id, OLD.words);"
    " INSERT INTO reviews_casewords_fts(rowid, words) VALUES (NEW.id, NEW.words); END",
]
BATCH = 500


def index(apps, editor):
    for statement in POSTGRES if editor.connection.vendor == "postgresql" else SQLITE:
        editor.execute(statement, None)


def drop(apps, editor):
    if editor.connection.vendor != "postgresql":  # with PostgreSQL it goes with its table
        editor.execute("DROP TABLE reviews_casewords_fts", None)


def fill(apps, editor):
    """The words of the cases there are: of each, its newest round."""
    review, words = apps.get_model("reviews", "Review"), apps.get_model("reviews", "CaseWords")
    page = apps.get_model("orchestrator", "DocumentPage")
    rows = []
    for row in review.objects.order_by("round").iterator(BATCH):
        shas = row.run.rundocument_set.values("document__sha256")
        pages = page.objects.filter(sha256__in=shas).values_list("text", flat=True)
        rows.append(words(task_id=row.task_id, words=words_of(row.packet, pages)))
        if len(rows) == BATCH:
            save(words, rows)
            rows = []
    save(words, rows)


def save(words, rows):
    words.objects.bulk_create(
        {row.task_id: row for row in rows}.values(),
        update_conflicts=True,
        unique_fields=["task"],
        update_fields=["words"],
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0007_task_deaths"),
        ("reviews", "0009_notices_by_mail"),
    ]

    operations = [
        migrations.AddField(
            model_name="reviewpolicy",
            name="similar_below",
            field=models.DecimalField(
                decimal_places=2,
                default=5000,
                help_text="Cases up to this amount, in BASE_CURRENCY, are offered to be selected with others like them.",
                max_digits=16,
            ),
        ),
        migrations.CreateModel(
            name="CaseWords",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("words", models.TextField()),
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="orchestrator.task"
                    ),
                ),
            ],
        ),
        migrations.RunPython(index, drop),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
