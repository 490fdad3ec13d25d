"""Answers in the content type of the request, as OTLP has it."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from starlette.responses import Response

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
# The answer to a signal, and what its field is called that counts what was rejected.
ANSWERS: dict[str, tuple[Any, str]] = {
    "traces": (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    "logs": (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (
        metrics_service_pb2.ExportMetricsServiceResponse,
        "rejected_data_points",
    ),
}
# google.rpc.Status has the message in field 2; nothing else of it is of use.
MESSAGE = b"\x12"
# Codes of gRPC, which a body of JSON names as well.
UNAVAILABLE, INVALID = 14, 3


def accepted(signal: str, kind: str, rejected: int, why: str) -> Response:
    """Return the answer to what was accepted, and how much of it was not."""
    made, counted = ANSWERS[signal]
    if kind == JSON:
        partial: dict[str, Any] = {}
        if rejected or why:
            first, *rest = counted.split("_")
            name = first + "".join(map(str.title, rest))
            # 64-bit numbers are text in OTLP's JSON.
            partial = {
                "partialSuccess": {name: str(rejected), "errorMessage": why[:1000]}
            }
        return Response(json.dumps(partial), media_type=JSON)
    answer = made()
    if rejected or why:
        setattr(answer.partial_success, counted, rejected)
        answer.partial_success.error_message = why[:1000]
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def refused(kind: str, status: int, message: str, wait: int | None) -> Response:
    """Return why nothing was accepted; with `wait`, in seconds, it may come again."""
    headers = {} if wait is None else {"retry-after": str(wait)}
    if kind == JSON:
        code = INVALID if wait is None else UNAVAILABLE
        content = json.dumps({"code": code, "message": message}).encode()
    else:
        text = message.encode()[:100]
        content = MESSAGE + bytes([len(text)]) + text
    return Response(content, status, headers, kind)
