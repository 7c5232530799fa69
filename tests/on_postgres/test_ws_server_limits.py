from tests.ws_server.test_limits import *
