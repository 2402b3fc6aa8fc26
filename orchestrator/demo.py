"""The people of the demo. Their password is meant to be known: the demo is for one's own machine."""

from typing import NamedTuple

PASSWORD = "demo-countersign"  # noqa: S105 (printed at every start of the demo)


class Person(NamedTuple):
    username: str
    name: str
    groups: tuple[str, ...]
    role: str
    staff: bool = False


PEOPLE = (
    Person("ada", "Ada Novak", ("admins",), "admin: workflows, policies, people", staff=True),
    Person("amir", "Amir Haddad", ("admins",), "admin: a second one", staff=True),
    Person("olga", "Olga Brandt", ("auditors",), "auditor: reads and exports the trail"),
    Person("ravi", "Ravi Menon", ("requesters",), "requester: hands in invoices"),
    Person("clara", "Clara Jansen", ("clerks",), "clerk: decides exceptions"),
    Person("ben", "Ben Okafor", ("clerks",), "clerk: decides exceptions"),
    Person("maya", "Maya Leclerc", ("clerks", "managers"), "manager: escalations, hold switch"),
    Person("felix", "Felix Sommer", ("cfo",), "CFO: second approval over 50,000"),
)


def demo_accounts() -> list[tuple[str, str, str]]:
    """(username, password, role in words) of everybody in the demo."""
    return [(person.username, PASSWORD, person.role) for person in PEOPLE]
