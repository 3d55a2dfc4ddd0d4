"""A worker of its own: C{twistd -ny tac/worker.tac} reads C{worker.yml} in the working directory."""

from twisted.application.service import Application

from tcworker.tap import Options, makeService

options = Options()
options.parseOptions(["--config", "worker.yml"])
application = Application("tcworker")
makeService(options).setServiceParent(application)
