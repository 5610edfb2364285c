"""An OTLP receiver in the background of this process: what is sent to it becomes a span frame."""
