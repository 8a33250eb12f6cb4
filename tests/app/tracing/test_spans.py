"""Traces: one span for a request, one for each of its stages, and nothing in them of what was said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient

from app.tracing import make_traces
from tests.app.conftest import MakeClient
from tests.app.stream.talk import END, Talk, pcm, said, start
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S, wait_until

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.settings import Settings
from app.tracing import spans

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
STAGES = ["decode", "queue", "encode", "search", "answer"]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a service tells, complete once it has stopped."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(spans, "exporter", lambda: exporter)
    return exporter


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def search(client: TestClient, **headers: str) -> int:
    return client.post("/search/images", files={"file": spoken("dog")}, headers=headers).status_code


def test_a_query_goes_on_in_its_callers_trace(make_client: MakeClient, exported: InMemorySpanExporter) -> None:
    with make_client(traces=True) as client:
        assert search(client, **PARENT) == 200

    found = by_name(exported)
    request = found["POST /search/images"]
    assert list(found) == [*STAGES, "POST /search/images"]
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == CALLER
    assert request.kind == SpanKind.SERVER
    for stage in STAGES:
        parent = found[stage].parent
        assert parent is not None
        assert parent.span_id == request.context.span_id


def test_the_stages_lie_one_after_another_within_the_request(
    make_client: MakeClient, exported: InMemorySpanExporter
) -> None:
    with make_client(traces=True) as client:
        search(client)

    found = by_name(exported)
    request = found["POST /search/images"]
    times = [(span.start_time or 0, span.end_time or 0) for span in (found[stage] for stage in STAGES)]
    slack = 2_000_000  # nanoseconds: the clocks of a stage and of the day are two
    for (_, ended), (started, _) in pairwise(times):
        assert started >= ended - slack
    assert times[0][0] >= (request.start_time or 0) - slack
    assert times[-1][1] <= (request.end_time or 0) + slack


def test_attributes_have_sizes_and_codes_and_nothing_that_was_sent(
    make_client: MakeClient, exported: InMemorySpanExporter
) -> None:
    with make_client(traces=True) as client:
        search(client)
        client.post("/search/images?secret=swordfish", json={"text": "a swordfish"}, headers={"X-API-Key": "swordfish"})
        client.get("/collections/swordfish/items/swordfish")

    request = by_name(exported)["POST /search/images"]
    told = " ".join(f"{span.name} {span.to_json()}" for span in exported.get_finished_spans())
    assert "swordfish" not in told
    assert request.attributes is not None
    assert {name for span in exported.get_finished_spans() for name in span.attributes or {}} == {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "error.type",
        "speechclip.request_id",
        "speechclip.kind",
        "speechclip.audio_s",
        "speechclip.batch",
    }


def test_a_refusal_has_its_code_and_a_failure_is_an_error(
    make_client: MakeClient, exported: InMemorySpanExporter, encoder: FakeEncoder
) -> None:
    with make_client(traces=True) as client:
        client.post("/search/images", content=b"noise", headers={"Content-Type": "audio/wav"})
        encoder.broken = lambda word: True
        client.post("/keywords", files={"file": spoken("dog")})
        encoder.broken = lambda word: False

    found = by_name(exported)
    refused, failed = found["POST /search/images"], found["POST /keywords"]
    assert (refused.attributes or {})["error.type"] == "unsupported_media"
    assert refused.status.status_code == StatusCode.UNSET
    assert ((failed.attributes or {})["error.type"], failed.status.status_code) == ("encoding_failed", StatusCode.ERROR)


def test_a_stream_is_one_request_and_each_of_its_answers_a_part_of_it(
    make_client: MakeClient, exported: InMemorySpanExporter
) -> None:
    talk = Talk(headers=PARENT)
    talk.say(start(), pcm("dog"))
    with make_client(traces=True) as client:
        assert client.portal
        running = client.portal.start_task_soon(talk.run, client.app)
        wait_until(lambda: bool(talk.heard) and talk.heard[-1]["type"] == "interim")
        client.portal.call(talk.say, pcm("cat"), END)
        running.result(WAIT_S)

    spans = exported.get_finished_spans()
    request = by_name(exported)["GET /stream"]
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    assert (request.attributes or {})["http.response.status_code"] == 101
    for answer in ("interim", "final"):
        part = by_name(exported)[answer]
        assert part.parent is not None
        assert part.parent.span_id == request.context.span_id
        stages = [span.name for span in spans if span.parent and span.parent.span_id == part.context.span_id]
        assert stages == ["queue", "encode", "search"]
        assert (part.attributes or {})["speechclip.kind"] == "speech"
        assert "speechclip.audio_s" in (part.attributes or {})


def test_a_stream_that_is_refused_has_the_code_of_its_problem(
    make_client: MakeClient, exported: InMemorySpanExporter
) -> None:
    with make_client(traces=True) as client:
        said(client, start(searches={"nowhere": 1}))

    (request,) = exported.get_finished_spans()
    assert (request.attributes or {})["error.type"] == "collection_not_found"
    assert (request.attributes or {})["http.response.status_code"] == 404


@pytest.mark.parametrize("value", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "0" * 5000])
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(
    make_client: MakeClient, exported: InMemorySpanExporter, value: str
) -> None:
    with make_client(traces=True) as client:
        assert search(client, traceparent=value) == 200

    assert by_name(exported)["POST /search/images"].parent is None


def test_what_the_caller_does_not_sample_is_not_told(make_client: MakeClient, exported: InMemorySpanExporter) -> None:
    with make_client(traces=True) as client:
        assert search(client, traceparent=f"00-{TRACE}-{CALLER}-00") == 200

    assert exported.get_finished_spans() == ()


def test_probes_are_not_traced(make_client: MakeClient, exported: InMemorySpanExporter) -> None:
    with make_client(traces=True) as client:
        for path in ("/livez", "/v1/readyz", "/metrics"):
            client.get(path)

    assert exported.get_finished_spans() == ()


def test_the_log_names_the_trace(
    make_client: MakeClient, exported: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="app.access"), make_client(traces=True) as client:
        search(client, **PARENT)

    assert [getattr(record, "trace_id", None) for record in caplog.records if record.message == "request"] == [TRACE]


def test_the_environment_names_the_service(exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    def name_told() -> object:
        exporter = InMemorySpanExporter()
        monkeypatch.setattr(spans, "exporter", lambda: exporter)
        traces = make_traces(Settings(traces=True))
        with traces.request({"type": "http", "method": "GET", "path": "/info", "headers": []}):
            pass
        traces.close()
        (span,) = exporter.get_finished_spans()
        return span.resource.attributes["service.name"]

    assert name_told() == "speechclip-search"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "our-search")
    assert name_told() == "our-search"


def test_a_collector_that_does_not_answer_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent(InMemorySpanExporter):
        """Tries again and again, until it is shut down."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            until = time.monotonic() + WAIT_S
            while not self._stopped and time.monotonic() < until:
                time.sleep(0.005)
            return SpanExportResult.FAILURE

    monkeypatch.setattr(spans, "HAND_OVER_S", 0.1)
    traces = spans.Spans(Absent())
    with traces.request({"type": "http", "method": "GET", "path": "/info", "headers": []}):
        pass
    started_at = time.monotonic()
    traces.close()

    assert time.monotonic() - started_at < WAIT_S / 2


def test_they_go_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    exporter = spans.exporter()

    assert isinstance(exporter, OTLPSpanExporter)
    assert exporter._endpoint == "http://127.0.0.1:4318/v1/traces"
    exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs
