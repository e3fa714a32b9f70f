"""Nodes for the tests of the runtime and the supervisor."""
