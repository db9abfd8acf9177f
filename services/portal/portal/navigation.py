"""Where one can go: the sections of the menu, and whom each page is for. The pages themselves say so again."""

from dataclasses import dataclass

from portal.usecases.users import Person

ADMINISTRATOR = ("administrator",)
STAFF = ("administrator", "staff")
OPERATOR = ("operator",)
CLIENT = ("client",)


@dataclass(frozen=True)
class Place:
    label: str
    endpoint: str
    roles: tuple[str, ...] = STAFF


MENU: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("", (Place("My balance", "home.show", CLIENT), Place("Payments", "home.payments", CLIENT),
          Place("Sessions", "home.sessions", CLIENT), Place("Saved cards", "home.cards", CLIENT))),
    ("Clients", (Place("Clients", "clients.show_all"), Place("Calendar", "calendar.show"),
                 Place("Invoices", "invoices.show_all"))),
    ("Accounting", (Place("Payments", "payments.show_all"), Place("Add Payment", "payments.add"),
                    Place("Add Payments", "many.show"), Place("Pay Assist", "assist.find"),
                    Place("Unmatched", "tray.show_all"), Place("Balances", "balances.show_all"),
                    Place("Revenue", "revenue.show"), Place("Service Reports", "service_reports.show"))),
    ("Account", (Place("Online Payments", "online_payments.show", ADMINISTRATOR),)),
    ("Settings", (Place("Services", "catalog.show_all", ADMINISTRATOR),
                  Place("Session Control", "session_control.show", ADMINISTRATOR),
                  Place("Reminders", "reminders.show", ADMINISTRATOR),
                  Place("E-mail texts", "mail_texts.show", ADMINISTRATOR),
                  Place("Team members", "team.show_all", ADMINISTRATOR),
                  Place("API tokens", "api_tokens.show_all", ADMINISTRATOR))),
    ("", (Place("System", "system.show", OPERATOR), Place("Help", "help.show_all", STAFF + CLIENT))),
)  # fmt: skip


def menu_of(person: Person) -> list[tuple[str, list[Place]]]:
    """The menu as this person sees it."""
    found = []
    for title, places in MENU:
        own = [place for place in places if person.may(place.roles)]
        if own:
            found.append((title, own))
    return found
