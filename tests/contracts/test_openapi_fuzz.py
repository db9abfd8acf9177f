"""Requests made up from every service's OpenAPI document: none breaks it, and every answer is as documented."""

from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as conformance

from common.testing import ServiceUnderTest
from tests.contracts.apis import APIS, acquaint

EXAMPLES = 3
SEED = 20261125
DOCUMENTED = [
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]
# No other service and no gateway runs here: what needs one may say that it does not answer. It is documented as well.
AWAY = 503


@pytest.fixture(scope="module", params=APIS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    found = ServiceUnderTest(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.close()


@pytest.fixture(scope="module")
def ids(subject: ServiceUnderTest) -> dict[str, str]:
    return acquaint(subject)


def test_no_request_breaks_it(subject: ServiceUnderTest, ids: dict[str, str]) -> None:
    """Every endpoint, with requests that fit its document and with some that do not."""
    document = schemathesis.openapi.from_wsgi("/openapi/openapi.json", subject.app)
    document.config.generation.update(with_security_parameters=False)
    headers = {"Authorization": f"Bearer {subject.token(ttl=3600)}"}
    seen: Counter[int] = Counter()
    troubles: list[str] = []

    def ask(case: schemathesis.Case) -> None:
        case.path_parameters.update({name: ids[name] for name in case.path_parameters if name in ids})
        response = case.call(headers=headers)
        seen[response.status_code] += 1
        checks = DOCUMENTED if response.status_code == AWAY else [not_a_server_error, *DOCUMENTED]
        try:
            case.validate_response(response, checks=checks)
        except FailureGroup as group:
            troubles.append(f"{case.method} {case.path}: {response.status_code}: {group.exceptions}")

    operations = [found.ok() for found in document.get_all_operations()]
    for operation in operations:
        raw = operation.definition.raw
        # What takes nothing cannot be sent anything wrong.
        modes = list(GenerationMode) if raw.get("parameters") or raw.get("requestBody") else [GenerationMode.POSITIVE]
        for mode in modes:
            run = given(case=operation.as_strategy(generation_mode=mode))(ask)
            run = settings(
                max_examples=EXAMPLES, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(run)  # fmt: skip
            seed(SEED)(run)()
    assert not troubles, "\n\n".join(troubles)
    assert len(operations) >= 10
    assert sum(count for status, count in seen.items() if status < 300) >= len(operations) / 5, seen
