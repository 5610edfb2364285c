"""Faults that are planted into made-up systems, a file per subject, and the truth about them.

Each fault has a place of its own (an edge, a service, a host), so that what is found can be told to be it or not:
`Plot.claim` sees to that. A fault is only planted where somebody honest could see it, which means on a handful of spans
at the least; what is left of it after all the others is counted once all are planted.
"""
