"""Spans that the OpenTelemetry SDK of this process makes while a block of code runs."""
