"""The second guard: it stands before every effect, and shares neither code nor configuration with policy.

It knows nothing of verdicts, approvals or reasons. It counts, compares and reads a kill switch, so that a wrong policy,
a wrong approval or a wrong plan still cannot touch what is protected, or too much at once.
"""
