from tests.ws_server.test_modes import *
