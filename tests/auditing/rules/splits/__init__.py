"""Requests that go on in another trace."""
