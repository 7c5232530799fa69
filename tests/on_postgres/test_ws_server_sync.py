from tests.ws_server.test_sync import *
