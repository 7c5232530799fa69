from tests.rest_gateway.test_events import *
