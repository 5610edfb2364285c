"""Rules about requests that go on in another trace: over the network, through queues, between threads."""
