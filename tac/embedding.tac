"""A worker beside a web site: C{SITE=tcp:8080 twistd -ny tac/embedding.tac} reads C{worker.yml} in the working directory."""

import os

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from tcworker.assemble import new_worker
from tcworker.config import load_file

application = Application("site-and-worker")
pages = Resource()
pages.putChild(b"", Data(b"A worker lives here too.\n", "text/plain"))
StreamServerEndpointService(serverFromString(reactor, os.environ["SITE"]), Site(pages)).setServiceParent(application)
new_worker(reactor, [load_file("worker.yml")]).setServiceParent(application)
