"""Is it a Taskcluster? A suite for any deployment, of which it knows nothing but its root URL and some credentials.

C{make conformance ROOT_URL=https://...} runs it, with C{TASKCLUSTER_CLIENT_ID}, C{TASKCLUSTER_ACCESS_TOKEN} and, for
temporary credentials, C{TASKCLUSTER_CERTIFICATE} in the environment; their scopes must be wide, best of all C{*}. All
that it makes has names that nobody else uses, and expires within hours; tasks that nobody claims end with their
deadline, one hour later. The few tests that wait for longer than two minutes, such as those of claims that expire, run
with C{CONFORMANCE_WAIT=1} only. Without a root URL it starts two servers of ours: one with the real times, and one in a
hurry.
"""
