"""The file beside this one is run by tests/compat/test_same_verdicts.py, with a server and a connector."""

collect_ignore = ["test_connector.py"]
