"""Makes C{twistd tcworker} known."""

from twisted.application.service import ServiceMaker

tcworker = ServiceMaker("tcworker", "tcworker.tap", "Run tasks of a Taskcluster queue.", "tcworker")
