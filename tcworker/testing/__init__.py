"""Fakes and contract suites for tests: ours, and those of people with platforms, hosts and features of their own.

- L{tcworker.testing.engines}: the suite that every platform must pass; L{tcworker.testing.logs}: that of logs;
- L{tcworker.testing.platform}: a platform in memory, whose tasks are scripts driven by a clock;
- L{tcworker.testing.context}: a run as platforms and features see it, with a log (L{tcworker.testing.memory}) and a
  queue (L{tcworker.testing.queue}) in memory;
- L{tcworker.testing.files}: what tasks left behind, in memory;
- L{tcworker.testing.facilities}: what the runs of one worker share.
"""
