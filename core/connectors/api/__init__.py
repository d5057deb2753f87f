"""REST APIs: every page of the answer, over HTTP."""
