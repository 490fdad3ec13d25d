#!/usr/bin/env bash
# OpenLLMetry's instrumentation of LangChain cannot be taken out.  After uninstrument() a
# model's calls are traced as before, to the provider that it was first given; and after
# instrument() with another provider that one gets nothing, the first one gets it all.  A
# program that turns tracing off for a while, or to another place, goes on sending prompts
# and answers to the first.
#
# Versions: opentelemetry-instrumentation-langchain 0.62.4, langchain 1.5.2,
#           opentelemetry-sdk 1.45.2, with a model of LangChain's own for tests.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "opentelemetry-instrumentation-langchain==0.62.4" "langchain==1.5.2" \
  "opentelemetry-sdk==1.45.2"

cat > "$place/look.py" <<'PYTHON'
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def provided():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter, provider


def ask():
    GenericFakeChatModel(messages=iter([AIMessage("hi")])).invoke("hello")


first, provider = provided()
instrumentor = LangchainInstrumentor()
instrumentor.instrument(tracer_provider=provider)
ask()
print("instrumented:", len(first.get_finished_spans()), "span")
instrumentor.uninstrument()
ask()
print("taken out, the call after that:", len(first.get_finished_spans()), "spans")
second, provider = provided()
instrumentor.instrument(tracer_provider=provider)
ask()
print("put in again, with another provider:", len(second.get_finished_spans()), "spans;")
print("the first provider has", len(first.get_finished_spans()))
PYTHON

"$place/venv/bin/python" -W ignore "$place/look.py" 2> /dev/null | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
instrumented: 1 span
taken out, the call after that: 2 spans
put in again, with another provider: 0 spans;
the first provider has 3
TEXT
