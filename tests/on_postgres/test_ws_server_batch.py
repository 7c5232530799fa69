from tests.ws_server.test_batch import *
