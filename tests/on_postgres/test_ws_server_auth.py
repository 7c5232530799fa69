from tests.ws_server.test_auth import *
