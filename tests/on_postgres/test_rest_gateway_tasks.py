from tests.rest_gateway.test_tasks import *
