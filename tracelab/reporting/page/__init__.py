"""The report as a page: a section per subject, figures that are drawn when they come into view, and links."""
